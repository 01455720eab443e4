// The smallest complete plugin: it reports an address of the IPAM plugin. Start your own plugin
// from it.
import { CniError, code } from "../../lib/cni/errors.ts";
import { type ConfOf, defaulted, defineSchema } from "../../lib/cni/netconf.ts";
import type { AddCall, Plugin } from "../../lib/cni/plugin.ts";
import type { Result } from "../../lib/cni/results.ts";
import { flag } from "../../lib/cni/schemas.ts";

/** The fields that an operator may write, in addition to the standard ones. */
export const schema = defineSchema(() => ({
  // Whether the routes of the IPAM plugin are reported.
  routes: defaulted(true, flag),
}));

/**
 * The framework calls DEL, CHECK, GC and STATUS of the IPAM plugin, so the plugin itself has
 * nothing to do for them.
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
    // In a chain the address belongs to the link that the plugins before this one created.
    // Otherwise it belongs to no link.
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
    // ADD created nothing that could remain.
  },
  check() {
    // ADD created nothing that could have changed.
  },
  gc() {
    // The IPAM plugin finds addresses without an owner.
  },
  status() {
    // The plugin requires nothing of the node.
  },
};
