// Device information: the file by which a device plugin, Multus and KubeVirt tell each other which
// device a network has (k8s.cni.cncf.io, Device Information Specification 1.1.0).
import { CniError, code } from "../cni/errors.ts";
import { isObject, type JsonObject } from "../cni/json.ts";
import { isBelow } from "../cni/schemas.ts";

/**
 * Where device information is; Multus and device plugins have no other place for it
 * (DefaultDevInfoPath).
 */
const root = "/var/run/k8s.cni.cncf.io/devinfo";

/**
 * Where the file is: `runtimeConfig.CNIDeviceInfoFile`, which Multus fills in where the netconf
 * declares the capability. Undefined where it did not.
 * Throws a CniError 7 for a path that is not below {@link root}: a netconf may hold a runtimeConfig
 * of its own.
 */
export function deviceInfoFile({ runtimeConfig }: JsonObject): string | undefined {
  const path = isObject(runtimeConfig) ? runtimeConfig.CNIDeviceInfoFile : undefined;
  if (typeof path !== "string" || path === "") return undefined;
  const below = path.startsWith("/run/") ? `/var${path}` : path;
  if (isBelow(root, below) && below !== root && !below.endsWith("/")) return path;
  const words = `runtimeConfig.CNIDeviceInfoFile: must be a file below ${root}, not ${JSON.stringify(path)}`;
  throw new CniError(code.badConfiguration, words, "leave it to Multus: declare the capability CNIDeviceInfoFile");
}

/**
 * The file's text with the device in it: what it says already, `present`, stays, and what is known
 * better is put in.
 * Throws an Error where what is there is something else: it may be any file.
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
