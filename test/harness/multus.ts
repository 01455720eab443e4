// Calls Multus (cmd/multus, the thin plugin) as a container runtime does. Multus finds our
// executables and those of other projects on CNI_PATH.
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

/** The output directory of test/system/peers/build. */
export const peers = fileURLToPath(new URL("../../.cache/peers", import.meta.url));

/** Returns the reason to skip a test that needs these peers, or false if all of them are built. */
export function missingPeers(...names: readonly string[]): string | false {
  const missing = names.filter((name) => !existsSync(`${peers}/${name}`));
  return (
    missing.length > 0 && `${missing.join(", ")}: not built; test/system/peers/build builds it, where Go is installed`
  );
}

/**
 * The plugins of every node: ours, and upstream's in the version that Multus uses. Debian's replace
 * those of upstream's that are not built.
 */
const nodePlugins = [
  ...["bridge-binding", "passt-binding", "sriov-vfio"].map((name) => `${dist}/${name}`),
  ...["bridge", "host-device", "macvlan", "host-local", "tuning"].map((name) =>
    existsSync(`${peers}/${name}`) ? `${peers}/${name}` : `${debianPlugins}/${name}`,
  ),
];

export interface MultusOptions {
  readonly api: KubeApi;
  /** The netconf of the cluster's default network, which becomes eth0 of every pod. */
  readonly network: Netconf;
  /** Fields that are added to Multus' netconf or replace its fields. */
  readonly netconf?: Netconf;
}

export interface Multus extends Recorder {
  /** The directory with Multus' saved delegates and libcni's cached results. */
  readonly state: string;
  /** Attaches a pod to its networks. `call` is the sandbox: container ID, CNI_NETNS, the node. */
  add(call: Call, pod: KubeObject): Promise<Answer>;
  del(call: Call, pod: KubeObject): Promise<Answer>;
  /** The pod's network status, which KubeVirt reads. Undefined if Multus has not written it. */
  networkStatus(pod: KubeObject): readonly NetworkStatus[] | undefined;
}

/** Installs Multus with its own kubeconfig and directories, until `scope` ends. */
export function installMultus(scope: Scope, { api, network, netconf }: MultusOptions): Multus {
  const directory = mkdtempSync(join(tmpdir(), "multus-"));
  scope.teardown(() => rmSync(directory, { recursive: true }));
  const kubeconfig = join(directory, "kubeconfig");
  writeFileSync(kubeconfig, JSON.stringify(kubeconfigFor(api.url)), { mode: 0o600 });
  const recorder = recordCalls(scope, nodePlugins);
  const state = join(directory, "state");
  // The netconf that Multus' thin_entrypoint generates from the cluster's network.
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

/** The maximum number of calls while Multus times out on the API. Kubelet retries too. */
const attempts = 5;

/**
 * Returns whether Multus failed because the API did not answer within 250 ms.
 *
 * This happens on a busy or emulated machine. Multus has called no plugin in this case.
 */
function apiWasLate({ error }: Answer): boolean {
  return /error waiting for pod: .*context deadline exceeded/.test(error?.msg ?? "");
}

/** Returns CNI_ARGS as kubelet's CRI client sets it. */
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
