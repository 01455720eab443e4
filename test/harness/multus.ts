// Multus itself (cmd/multus, the thin one), called as a container runtime calls it, with our
// executables and others behind it.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Netconf } from "./attachment.ts";
import type { KubeApi, KubeObject } from "./kube-api.ts";
import { type NetworkStatus, networkStatusAnnotation } from "./multus-kubevirt.ts";
import { type Answer, type Call, callPlugin, debianPlugins, dist } from "./plugin.ts";
import { type Recorder, recordCalls } from "./recorded-calls.ts";
import type { Scope } from "./scope.ts";

/** Where test/system/peers/build puts what it builds. */
export const peers = fileURLToPath(new URL("../../.cache/peers", import.meta.url));

/** The reason to skip a test that needs these peers, or false where they are all there. */
export function missingPeers(...names: readonly string[]): string | false {
  const missing = names.filter((name) => !existsSync(`${peers}/${name}`));
  return (
    missing.length > 0 && `${missing.join(", ")}: not built; test/system/peers/build builds it, where Go is installed`
  );
}

/**
 * The plugins that every node here has: ours, upstream's of the version that Multus has, and
 * Debian's where upstream's is not built.
 */
const nodePlugins = [
  ...["bridge-binding", "passt-binding", "sriov-vfio"].map((name) => `${dist}/${name}`),
  ...["bridge", "host-device", "macvlan", "host-local", "tuning"].map((name) =>
    existsSync(`${peers}/${name}`) ? `${peers}/${name}` : `${debianPlugins}/${name}`,
  ),
];

export interface MultusOptions {
  readonly api: KubeApi;
  /** The configuration of the cluster's own network, which becomes every pod's eth0. */
  readonly network: Netconf;
  /** Fields beside, or in place of, those of Multus' own configuration. */
  readonly netconf?: Netconf;
}

/** A node's Multus. */
export interface Multus extends Recorder {
  /** Where it remembers its delegates, and libcni their results. */
  readonly state: string;
  /**
   * Has it attach a pod to its networks. `call` is the sandbox: container ID, CNI_NETNS, the node.
   */
  add(call: Call, pod: KubeObject): Promise<Answer>;
  del(call: Call, pod: KubeObject): Promise<Answer>;
  /** What it has told KubeVirt about a pod; undefined where it has not. */
  networkStatus(pod: KubeObject): readonly NetworkStatus[] | undefined;
}

/** Installs one, with a kubeconfig and directories of its own; gone when `scope` ends. */
export function installMultus(scope: Scope, { api, network, netconf }: MultusOptions): Multus {
  const directory = mkdtempSync(join(tmpdir(), "multus-"));
  scope.teardown(() => rmSync(directory, { recursive: true }));
  const kubeconfig = join(directory, "kubeconfig");
  writeFileSync(kubeconfig, JSON.stringify(kubeconfigFor(api.url)), { mode: 0o600 });
  const recorder = recordCalls(scope, nodePlugins);
  const state = join(directory, "state");
  // What its own thin_entrypoint makes of the cluster's network.
  const configuration = {
    cniVersion: "1.1.0",
    name: "multus-cni-network",
    type: "multus",
    kubeconfig,
    cniDir: state,
    binDir: recorder.directory,
    confDir: join(directory, "net.d"),
    delegates: [network],
    ...netconf,
  };
  const run = async (verb: string, call: Call, pod: KubeObject): Promise<Answer> => {
    const sandbox = { ifname: "eth0", args: cniArgs(call, pod), path: recorder.directory, timeout: 120_000, ...call };
    for (let attempt = 1; ; attempt += 1) {
      const answer = await callPlugin(`${peers}/multus`, verb, sandbox, configuration);
      if (attempt === attempts || !apiWasLate(answer)) return answer;
    }
  };
  return {
    ...recorder,
    state,
    add: (call, pod) => run("ADD", call, pod),
    del: (call, pod) => run("DEL", call, pod),
    networkStatus: (pod) => {
      const annotation = api.annotations(pod)[networkStatusAnnotation];
      return annotation === undefined ? undefined : JSON.parse(annotation);
    },
  };
}

/** How often kubelet is taken to call, at most, where Multus gives up on the API. */
const attempts = 5;

/**
 * Whether Multus has given up because the API took more than its 250 ms to answer, as a busy or
 * emulated machine's may: it has called nobody then.
 */
function apiWasLate({ error }: Answer): boolean {
  return /error waiting for pod: .*context deadline exceeded/.test(error?.msg ?? "");
}

/** As kubelet's CRI client has them. */
function cniArgs({ containerId }: Call, { metadata: { namespace, name, uid } }: KubeObject): string {
  const pod = `K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${name}`;
  return `IgnoreUnknown=1;${pod};K8S_POD_INFRA_CONTAINER_ID=${containerId};K8S_POD_UID=${uid}`;
}

function kubeconfigFor(server: string): object {
  return {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "lab", cluster: { server } }],
    users: [{ name: "multus", user: {} }],
    contexts: [{ name: "multus", context: { cluster: "lab", user: "multus" } }],
    "current-context": "multus",
  };
}
