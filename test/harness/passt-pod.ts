// A pod whose eth0 passt is to serve, with passt-binding on it and something to reach beyond its
// gateway.
import { execa } from "execa";
import { type Attachment, attachmentOf } from "./attachment.ts";
import { ip } from "./ip.ts";
import { type Namespace, within } from "./namespaces.ts";
import { createPod } from "./pod.ts";
import type { Scope } from "./scope.ts";

/**
 * The pod's address, and one beyond the pod's gateway: passt takes the gateway's own for the pod
 * itself (--no-map-gw).
 */
export const families = [
  { name: "IPv4", pod: "10.1.0.2", outside: "198.51.100.1" },
  { name: "IPv6", pod: "fd00:1::2", outside: "2001:db8::1" },
] as const;

/** See {@link createPasstPod}. */
export interface PasstPod {
  readonly namespace: Namespace;
  /** Where the addresses outside are. */
  readonly node: Namespace;
  /** With the configuration's defaults; nothing is called yet. */
  readonly binding: Attachment;
}

/** Makes one on a bridge, with both families; gone when `scope` ends. */
export async function createPasstPod(scope: Scope, mtu = 1500): Promise<PasstPod> {
  const pod = await createPod(scope);
  await pod.attach({ kind: "bridge", families: "dual", mtu });
  await ip(pod.node, ...families.map(({ outside }) => `address add ${outside} dev lo`));
  const binding = await attachmentOf(scope, "passt-binding", pod);
  return { namespace: pod.namespace, node: pod.node, binding };
}

/** Connects to a port such as `tcp 80`, or sends it a datagram, from `namespace`. */
export async function knock(namespace: Namespace, address: string, port: string): Promise<"sent" | "refused"> {
  const [protocol, number] = port.split(" ");
  const [file, ...args] = within(namespace, "bash", "-c", `echo >/dev/${protocol}/${address}/${number}`);
  const { exitCode, stderr } = await execa(file, args, { reject: false, timeout: 10_000 });
  if (exitCode === 0) return "sent";
  if (stderr.includes("Connection refused")) return "refused";
  throw new Error(`${port} of ${address}: ${stderr}`);
}
