// Device information: the file in which a device plugin, Multus and KubeVirt record the device of a
// network (k8s.cni.cncf.io, Device Information Specification 1.1.0).
import { CniError, code } from "../cni/errors.ts";
import { isObject, type JsonObject } from "../cni/json.ts";
import { belowDeviceInfo, roots } from "../cni/roots.ts";

/**
 * Returns the path in `runtimeConfig.CNIDeviceInfoFile`, which Multus sets if the netconf declares
 * the capability. Undefined without it.
 *
 * Throws a CniError 7 for a path outside the root: a netconf may contain its own runtimeConfig.
 */
export function deviceInfoFile({ runtimeConfig }: JsonObject): string | undefined {
  const path = isObject(runtimeConfig) ? runtimeConfig.CNIDeviceInfoFile : undefined;
  if (typeof path !== "string" || path === "") return undefined;
  if (belowDeviceInfo(path) !== undefined) return path;
  const root = roots().deviceInfo;
  const words = `runtimeConfig.CNIDeviceInfoFile: must be a file below ${root}, not ${JSON.stringify(path)}`;
  throw new CniError(code.badConfiguration, words, "leave it to Multus: declare the capability CNIDeviceInfoFile");
}

/**
 * Returns the file's new text with the device in it. The content of `present` stays, except what
 * this plugin knows better.
 *
 * Throws an Error if the file is not device information: the path could lead to any file.
 */
export function deviceInfo(
  { path, present }: { readonly path: string; readonly present?: string },
  device: { readonly address: string; readonly pf: string },
): string {
  const before = present === undefined ? {} : parsed(path, present);
  const pci = isObject(before.pci) ? before.pci : {};
  return `${JSON.stringify({
    type: "pci",
    version: "1.1.0",
    ...before,
    pci: { ...pci, "pci-address": device.address, "pf-pci-address": device.pf },
  })}\n`;
}

function parsed(path: string, text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (isObject(value as JsonObject) && (value as JsonObject).type === "pci") return value as JsonObject;
  throw new Error(`${path}: is there, and is no information about a PCI device`);
}
