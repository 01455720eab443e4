// Reads the fields that the specification defines for every netconf (SPEC.md, section 1).
import { isIdentifier } from "./environment.ts";
import { CniError, code } from "./errors.ts";
import { decodeObject, isObject, type JsonObject } from "./json.ts";
import type { ValidAttachment } from "./plugin.ts";

/** The maximum length of a netconf in bytes. */
export const maxConfiguration = 1024 * 1024;

/** Decodes standard input. Throws a CniError 6. */
export function decodeConfiguration(text: string): JsonObject {
  if (/^[ \t\n\r]*$/.test(text))
    throw new CniError(
      code.decoding,
      "netconf: standard input is empty",
      "expected the network's configuration as a JSON object",
    );
  return decodeObject(text, "netconf");
}

/** Returns the network's name. Throws a CniError 7. */
export function networkName({ name }: JsonObject): string {
  if (name === undefined || name === null || name === "")
    throw new CniError(code.badConfiguration, "missing network name");
  if (typeof name === "string" && isIdentifier(name)) return name;
  const details = `name is ${JSON.stringify(name)}, expected letters, digits, "_", "." and "-", the first one a letter or digit`;
  throw new CniError(code.badConfiguration, "invalid characters found in network name", details);
}

/**
 * Returns the IPAM plugin that the netconf names. Undefined for none, and for `"ipam": {}`.
 *
 * Throws a CniError 7 for a name that would lead out of CNI_PATH.
 */
export function ipamType({ ipam }: JsonObject): string | undefined {
  if (ipam === undefined || ipam === null) return undefined;
  const type = isObject(ipam) ? (ipam.type ?? "") : undefined;
  if (type === "") return undefined;
  if (typeof type === "string" && isPluginName(type)) return type;
  throw new CniError(
    code.badConfiguration,
    `ipam.type: must be the name of a plugin in CNI_PATH, not ${JSON.stringify(type ?? ipam)}`,
  );
}

/** Whether the text is a file name, and not a path. */
export function isPluginName(text: string): boolean {
  return text !== "" && text !== "." && text !== ".." && !/[/\0]/.test(text);
}

/**
 * Returns the attachments that GC must keep. Undefined if the runtime passed no list at all: then
 * nothing may be removed.
 *
 * `cni.dev/attachments` is the key that runtimes wrote before 1.1.0 was final. Throws a CniError 7
 * for anything but a list of attachments.
 */
export function validAttachments(object: JsonObject): ValidAttachment[] | undefined {
  const key = Object.hasOwn(object, "cni.dev/valid-attachments") ? "cni.dev/valid-attachments" : "cni.dev/attachments";
  const value = object[key];
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw new CniError(code.badConfiguration, `${key}: must be a list of attachments`);
  return value.map((entry: unknown, position) => {
    if (isObject(entry) && typeof entry.containerID === "string" && typeof entry.ifname === "string")
      return { containerID: entry.containerID, ifname: entry.ifname };
    throw new CniError(code.badConfiguration, `${key}[${position}]: must be an object with containerID and ifname`);
  });
}
