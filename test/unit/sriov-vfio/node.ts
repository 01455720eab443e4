// The plugin on a node in memory: its verbs, and the attachments of the tests.
import { register } from "node:module";
import type { AddCall } from "../../../lib/cni/plugin.ts";
import type { Result } from "../../../lib/cni/results.ts";
import type { DryRun, Operator } from "../../../lib/plugin/operator.ts";
import type { Conf } from "../../../plugins/sriov-vfio/netconf.ts";
import { schema } from "../../../plugins/sriov-vfio/netconf.ts";
import { capture } from "../sysfs/captures.ts";
import { runsOn } from "../sysfs/memory-host.ts";
import { igbNode, type MemoryNode } from "../sysfs/memory-node.ts";

// The plugin's own system calls go to the node.
const hooks = `export function resolve(specifier, context, next) {
  if (specifier !== "host") return next(specifier, context);
  return { url: ${JSON.stringify(new URL("../sysfs/memory-host.ts", import.meta.url).href)}, shortCircuit: true };
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
const { sriovVfio } = await import("../../../plugins/sriov-vfio/plugin.ts");

/** VF 1 of eth0, whose IOMMU group is 10. */
export const vf: string = capture.vfs[1]!;
export const pf: string = capture.pf;
export const journal = "/run/sriov-vfio";
export const infoPath = "/run/k8s.cni.cncf.io/devinfo/cni/fast-net1-device.json";

/** Which attachment, of which network, with what in its configuration. */
export interface Wish {
  readonly containerId?: string;
  readonly ifname?: string;
  readonly network?: string;
  readonly netns?: string;
  readonly conf?: Record<string, unknown>;
  readonly args?: Record<string, string>;
  readonly prevResult?: Result;
  readonly ipam?: AddCall<Conf>["ipam"];
}

/** What a VM's network asks for that uses all that igb has. */
export const everything = {
  mac: "02:00:00:00:00:01",
  vlan: 100,
  vlanQoS: 3,
  max_tx_rate: 200,
  spoofchk: "off",
  trust: "on",
  runtimeConfig: { CNIDeviceInfoFile: infoPath },
} as const;

/** A node, and the verbs of the plugin on it. */
export class PluginOnNode {
  readonly node: MemoryNode = igbNode();
  readonly said: string[] = [];

  constructor() {
    runsOn(this.node);
    // As udev calls it: a driver's new link has another name.
    this.node.pci.rename("eth3", "sriov1");
    this.node.pci.files.directory("/run/devinfo");
    this.node.namespaces.set("/run/netns/other", { inode: 4026532002, cookie: "8" });
  }

  #call({ containerId = "c1", ifname = "net1", network = "fast", args = {}, conf = {}, prevResult }: Wish) {
    const object = { cniVersion: "1.1.0" as const, name: network, type: "sriov-vfio", deviceID: vf, ...conf };
    return {
      containerId,
      ifname,
      network,
      args,
      object,
      cniVersion: object.cniVersion,
      warn: (text: string) => this.said.push(text),
      ...(prevResult !== undefined && { prevResult }),
    };
  }

  #attachment(wish: Wish): AddCall<Conf> {
    const { netns = "/run/netns/pod", ipam } = wish;
    const call = this.#call(wish);
    const { inode } = this.node.namespaces.get(netns)!;
    return {
      ...call,
      conf: schema.parse(call.object),
      netns: { path: netns, fd: 3, device: 4, inode },
      ...(ipam !== undefined && { ipam }),
    };
  }

  add(wish: Wish = {}): Result {
    return sriovVfio.add(this.#attachment(wish));
  }

  check(wish: Wish = {}): void {
    sriovVfio.check({ prevResult: {}, ...this.#attachment(wish) });
  }

  /** Without a namespace, as for a deleted pod. */
  del(wish: Wish = {}): void {
    const call = this.#call(wish);
    sriovVfio.del({ ...call, conf: schema.salvage(call.object) });
  }

  gc(valid: readonly { readonly containerID: string; readonly ifname: string }[], wish: Wish = {}): void {
    const call = this.#call(wish);
    sriovVfio.gc({ ...call, conf: schema.salvage(call.object), valid });
  }

  status(wish: Wish = {}): void {
    const call = this.#call(wish);
    sriovVfio.status({ ...call, conf: schema.parse(call.object) });
  }

  /** The plugin's part of the operator commands. */
  get operator(): Operator<Conf> {
    return sriovVfio.operator!;
  }

  dryRun(wish: Wish = {}, netns?: string): DryRun | undefined {
    const { netns: there, ...attachment } = this.#attachment(netns === undefined ? wish : { ...wish, netns });
    return this.operator.dryRun({ ...attachment, ...(netns !== undefined && { netns: there }) });
  }

  /** Deletes a pod and its namespace. */
  end(netns = "/run/netns/pod"): void {
    this.node.namespaces.delete(netns);
  }

  /** The changes of the VF by the PF's link, since `from`. */
  sent(from = 0): string[] {
    return this.node.deeds.slice(from).filter((deed) => deed.startsWith("set "));
  }

  get driver(): string | undefined {
    return this.node.pci.driverOf(vf);
  }

  /** The records by the addresses of their devices. */
  get records(): string[] {
    const { files } = this.node.pci;
    return this.recordPaths.map((path) => `${JSON.parse(files.read(path)).device.address}.${path.split(".").at(-1)}`);
  }

  get recordPaths(): string[] {
    const isRecord = (path: string): boolean => /^[^:]+\.(?:json|pending)$/.test(path.slice(journal.length));
    return this.node.pci.files.below(journal).flatMap(([path]) => (isRecord(path) ? [path] : []));
  }
}
