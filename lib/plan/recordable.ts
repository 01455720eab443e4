// Checks where a recorded change leads. A record that leads elsewhere was not written by a plugin,
// and is not undone with root's rights.
import type { Change } from "./change.ts";
import type { DeviceChange } from "./device.ts";

const pci = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/;

/**
 * The fields that locate a change on the node, and their valid values: sysctls of a network
 * namespace, PCI addresses, device information.
 */
const places: Readonly<Record<Change["do"] | DeviceChange["do"], Readonly<Record<string, RegExp>>>> = {
  create: {},
  set: {},
  sysctl: { key: /^net\.[^/\0]+$/ },
  configureVf: { pf: pci },
  bindDriver: { device: pci },
  file: { path: /^(?:\/var)?\/run\/k8s\.cni\.cncf\.io\/devinfo\/(?!.*(?:^|\/)\.\.?(?:\/|$))[^\0]+$/ },
};

/**
 * Names the field of a recorded change that leads to a place that no plugin changes. Undefined if
 * there is none.
 */
export function faultOfChange(change: object): string | undefined {
  const fields = change as Readonly<Record<string, unknown>>;
  const wrong = Object.entries(places[fields["do"] as keyof typeof places]).find(
    ([name, pattern]) => !pattern.test(String(fields[name])),
  );
  return wrong === undefined
    ? undefined
    : `has the ${wrong[0]} ${JSON.stringify(fields[wrong[0]])}, which no plugin changes`;
}
