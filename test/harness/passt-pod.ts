// Creates a pod for passt: passt-binding is attached to its eth0, and the node has addresses beyond
// the pod's gateway.
import { execa } from "execa";
import { type Attachment, attachmentOf } from "./attachment.ts";
import { ip } from "./ip.ts";
import { type Namespace, within } from "./namespaces.ts";
import { createPod } from "./pod.ts";
import type { Scope } from "./scope.ts";

/**
 * The pod's address, and an address beyond the gateway. Tests cannot ping the gateway itself: passt
 * maps its address to the pod unless it gets --no-map-gw.
 */
export const families = [
  { name: "IPv4", pod: "10.1.0.2", outside: "198.51.100.1" },
  { name: "IPv6", pod: "fd00:1::2", outside: "2001:db8::1" },
] as const;

export interface PasstPod {
  readonly namespace: Namespace;
  /** The namespace that holds the `outside` addresses. */
  readonly node: Namespace;
  /** With the default netconf. The plugin is not called yet. */
  readonly binding: Attachment;
}

/** Creates a pod on a bridge network with IPv4 and IPv6. It is removed when `scope` ends. */
export async function createPasstPod(scope: Scope, mtu = 1500): Promise<PasstPod> {
  const pod = await createPod(scope);
  await pod.attach({ kind: "bridge", families: "dual", mtu });
  await ip(pod.node, ...families.map(({ outside }) => `address add ${outside} dev lo`));
  const binding = await attachmentOf(scope, "passt-binding", pod);
  return { namespace: pod.namespace, node: pod.node, binding };
}

/** Connects to a port such as `tcp 80`, or sends a datagram to it, from `namespace`. */
export async function knock(namespace: Namespace, address: string, port: string): Promise<"sent" | "refused"> {
  const [protocol, number] = port.split(" ");
  const [file, ...args] = within(namespace, "bash", "-c", `echo >/dev/${protocol}/${address}/${number}`);
  const { exitCode, stderr } = await execa(file, args, { reject: false, timeout: 10_000 });
  if (exitCode === 0) return "sent";
  if (stderr.includes("Connection refused")) return "refused";
  throw new Error(`${port} of ${address}: ${stderr}`);
}
