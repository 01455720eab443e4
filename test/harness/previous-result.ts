// Builds the previous result that a chained plugin gets, in every version of the CNI specification.
import type { Netconf } from "./attachment.ts";
import type { Namespace } from "./namespaces.ts";
import type { Result } from "./plugin.ts";
import type { Network } from "./pod.ts";

/** All versions of the CNI specification, in ascending order. */
export const versions = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];

/**
 * Returns the result of the pod's network plugin in a version, with keys that our plugins do not
 * know.
 */
export function previousResult(
  cniVersion: string,
  { mac }: Pick<Network, "mac">,
  { namespace }: { readonly namespace: Pick<Namespace, "path"> },
): Netconf {
  const dns = { nameservers: ["10.1.0.53"], search: ["example"] };
  if (cniVersion < "0.3.0") {
    const ip4 = { ip: "10.1.0.2/24", gateway: "10.1.0.1", routes: [{ dst: "0.0.0.0/0", gw: "10.1.0.1" }] };
    return { cniVersion, ip4, ip6: { ip: "fd00:1::2/64", routes: [{ dst: "::/0" }] }, dns, custom: { kept: [1, "a"] } };
  }
  const family = (version: string) => (cniVersion < "1.0.0" ? { version } : {});
  const newer = cniVersion >= "1.1.0";
  return {
    cniVersion,
    interfaces: [
      { name: "cni1", mac: "02:00:00:00:00:aa", custom: true },
      { name: "veth0", mac: "02:00:00:00:00:ab" },
      { name: "eth0", mac, sandbox: namespace.path, ...(newer && { mtu: 1500, socketPath: "/run/s" }) },
    ],
    ips: [
      { ...family("4"), address: "10.1.0.2/24", gateway: "10.1.0.1", interface: 2, custom: 1 },
      { ...family("6"), address: "fd00:1::2/64", interface: 2 },
    ],
    routes: [{ dst: "0.0.0.0/0", gw: "10.1.0.1", ...(newer && { priority: 7, table: 100 }) }, { dst: "::/0" }],
    dns,
    custom: { kept: [1, "a"] },
  };
}

/** Returns `value` with sorted keys, because the order of keys in JSON has no meaning. */
export function sorted(value: Result | Netconf | undefined): unknown {
  const inOrder = (_: string, each: unknown): unknown =>
    typeof each === "object" && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each;
  return JSON.parse(JSON.stringify(value, inOrder));
}
