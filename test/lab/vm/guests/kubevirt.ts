// Does in a pod what virt-handler does for `domainAttachmentType: managedTap`, on an existing
// bridge, and reverts it.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { addresses, ip, links, writeSysctls } from "../../../harness/ip.ts";
import { type Namespace, within } from "../../../harness/namespaces.ts";
import type { Scope } from "../../../harness/scope.ts";

export interface ManagedTapOptions {
  readonly namespace: Namespace;
  /** The pod link's name. The names below are those that KubeVirt derives from it. */
  readonly podLink: string;
  readonly bridge: string;
  readonly nic: string;
  readonly tap: string;
  /**
   * The kind of the placeholder. KubeVirt uses a `dummy`. A `bridge` without ports replaces it if
   * the kernel has no dummy links.
   */
  readonly placeholder: "dummy" | "bridge";
}

/** Reverts {@link manageTap}: the pod link is then as before, and the bridge has no ports. */
export type TakeBack = () => Promise<void>;

/**
 * Changes the pod's links in the same order as virt-handler (managedTapSpec of
 * setup/netpod/netpod.go, setupInterface of driver/nmstate/spec.go).
 *
 * Unlike virt-handler, it does not make the bridge compute checksums, which matters only for
 * packets from the pod itself. Rejects if the bridge is missing.
 */
export async function manageTap(scope: Scope, options: ManagedTapOptions): Promise<TakeBack> {
  const { namespace, podLink, bridge, nic, tap, placeholder } = options;
  const shown = await links(namespace);
  const [link, port] = [shown.get(podLink)!, shown.get(bridge)];
  if (port?.linkinfo?.info_kind !== "bridge") throw new Error(`${bridge}: is not there, expected it to be prepared`);
  const assigned = (await addresses(namespace, podLink)).filter((address) => !address.startsWith("fe80:"));
  const state = await saved(scope, namespace, podLink);

  await ip(
    namespace,
    `address flush dev ${bridge}`,
    `link set ${bridge} up`,

    `link set ${podLink} down`,
    `link set ${podLink} name ${nic}`,
    `link set ${nic} address ${port.address}`,
    `link set ${nic} master ${bridge}`,
    `address flush dev ${nic}`,
    `link set ${nic} up`,
    `link set ${nic} type bridge_slave learning off`,

    `tuntap add ${tap} mode tap user 107 group 107`,
    `link set ${tap} mtu ${link.mtu}`,
    `link set ${tap} master ${bridge}`,
    `link set ${tap} up`,

    `link add ${podLink} type ${placeholder}`,
    `link set ${podLink} address ${link.address}`,
    `link set ${podLink} mtu ${link.mtu}`,
    ...assigned.map((address) => `address add ${address} dev ${podLink}`),
  );
  await writeSysctls(namespace, { "net/ipv4/conf/all/arp_ignore": "1" });

  return async () => {
    await ip(
      namespace,
      `link del ${podLink}`,
      `link del ${tap}`,
      `link set ${nic} nomaster`,
      `link set ${nic} down`,
      `link set ${nic} name ${podLink}`,
      `link set ${podLink} address ${link.address}`,
      `link set ${podLink} up`,
    );
    await state.restore();
  };
}

/**
 * Saves a link's addresses and the namespace's routes with `ip … save`, which keeps all their
 * attributes.
 */
async function saved(scope: Scope, namespace: Namespace, link: string): Promise<{ restore: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), "saved-"));
  scope.teardown(() => rm(directory, { recursive: true }));
  const run = async (script: string): Promise<void> => {
    const [file, ...args] = within(namespace, "sh", "-ec", script, "sh", link);
    await execa(file, args, { cwd: directory });
  };
  await run("ip address save dev $1 >addresses; for family in -4 -6; do ip $family route save >routes$family; done");
  return {
    restore: () =>
      run("ip address restore <addresses; for family in -4 -6; do ip $family route restore <routes$family; done"),
  };
}
