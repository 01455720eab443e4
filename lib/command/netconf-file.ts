// Reads a netconf from an operator: of one plugin, in a list, or in a NetworkAttachmentDefinition,
// from a file or from standard input.
import { decodeConfiguration, maxConfiguration } from "../cni/configuration.ts";
import { decodeObject, isObject, type JsonObject } from "../cni/json.ts";
import type { AnyPlugin, Invocation } from "./command.ts";

/** A plugin's netconf as a runtime would pass it, and its place. */
export interface FoundNetconf {
  readonly object: JsonObject;
  /** Whether other plugins of its list run before it. */
  readonly chained: boolean;
}

/**
 * Returns the plugin's netconf from a file; `-` means standard input. Throws a CniError or a
 * HostError if there is none.
 */
export function netconfIn(
  path: string,
  { program: plugin, terminal }: Pick<Invocation<AnyPlugin>, "program" | "terminal">,
): FoundNetconf {
  const isInput = path === "-";
  const text = isInput ? terminal.readStdin(maxConfiguration) : terminal.readFile(path, { limit: maxConfiguration });
  const object = isInput ? decodeConfiguration(text) : decodeObject(text, path);
  return netconfOf(object, plugin.name);
}

/** Returns the plugin's netconf from a decoded document. Throws as {@link netconfIn} does. */
export function netconfOf(object: JsonObject, type: string): FoundNetconf {
  const { kind, spec, metadata } = object;
  if (kind !== undefined || spec !== undefined) {
    if (kind !== "NetworkAttachmentDefinition")
      throw new Error(
        `kind: is ${JSON.stringify(kind ?? null)}, expected NetworkAttachmentDefinition or a CNI configuration`,
      );
    const config = isObject(spec) ? spec.config : undefined;
    if (typeof config !== "string" || config === "")
      throw new Error(
        "spec.config: is missing, so that Multus reads the configuration from a file on the node: give that one",
      );
    const inner = decodeObject(config, "spec.config");
    // As Multus does (GetCNIConfig).
    const name = inner.name ?? (isObject(metadata) ? metadata.name : undefined);
    return netconfOf({ ...inner, ...(name !== undefined && { name }) }, type);
  }
  if (!Object.hasOwn(object, "plugins")) {
    if (object.type !== undefined && object.type !== type)
      throw new Error(`type: is ${JSON.stringify(object.type)}, and this is ${type}`);
    return { object, chained: object.prevResult !== undefined };
  }
  const plugins: readonly unknown[] = Array.isArray(object.plugins) ? object.plugins : [];
  const at = plugins.findIndex((one) => isObject(one) && one.type === type);
  if (at < 0) {
    const types = plugins.map((one) =>
      isObject(one) && typeof one.type === "string" ? one.type : "one without a type",
    );
    throw new Error(
      `plugins: none is of type ${type}; there ${types.length === 1 ? "is" : "are"} ${types.join(", ") || "none"}`,
    );
  }
  // The fields that libcni adds to each plugin of a list (buildOneConfig).
  const { name, cniVersion } = object;
  return { object: { ...(plugins[at] as JsonObject), name, cniVersion }, chained: at > 0 };
}
