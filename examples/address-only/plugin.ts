// The smallest whole plugin: an address from the IPAM plugin, reported. A start for a plugin of
// your own.
import { CniError, code } from "../../lib/cni/errors.ts";
import { type ConfOf, defaulted, defineSchema } from "../../lib/cni/netconf.ts";
import type { AddCall, Plugin } from "../../lib/cni/plugin.ts";
import type { Result } from "../../lib/cni/results.ts";
import { flag } from "../../lib/cni/schemas.ts";

/** The fields that an operator may write, beside those that any plugin has. */
export const schema = defineSchema(() => ({
  // Whether the IPAM plugin's routes are reported too.
  routes: defaulted(true, flag),
}));

/**
 * Its IPAM plugin's DEL, CHECK, GC and STATUS are run for it, so that it has nothing of its own to
 * do for them.
 */
export const addressOnly: Plugin<ConfOf<typeof schema>> = {
  name: "address-only",
  about: "reserves an address for a guest that configures itself, and touches no link",
  schema,
  ipam: true,

  add({ conf, ipam, ifname, netns, prevResult }: AddCall<ConfOf<typeof schema>>): Result {
    if (ipam === undefined)
      throw new CniError(code.badConfiguration, "ipam.type: is missing, expected an IPAM plugin's name");
    const { ips = [], routes = [], dns } = ipam.add();
    // In a chain the address belongs to the link that the plugins before made; without one to no
    // link at all.
    const position =
      prevResult?.interfaces?.findIndex(({ name, sandbox }) => name === ifname && sandbox === netns.path) ?? -1;
    const own = position < 0 ? ips : ips.map((ip) => ({ ...ip, interface: position }));
    return {
      ...prevResult,
      ips: [...(prevResult?.ips ?? []), ...own],
      ...(conf.routes && { routes: [...(prevResult?.routes ?? []), ...routes] }),
      ...(dns !== undefined && { dns }),
    };
  },
  del() {
    // It made nothing that could be left.
  },
  check() {
    // Nor anything that could have changed.
  },
  gc() {
    // Addresses without an owner are the IPAM plugin's to find.
  },
  status() {
    // It needs nothing of the node.
  },
};
