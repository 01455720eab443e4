// Podman with CNI networks: a container runtime that makes a namespace, has our plugins called for
// it, and starts a container there.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa, execaSync } from "execa";
import { startBox } from "./box.ts";
import type { NetworkList } from "./cnitool.ts";
import { createNamespace, type Namespace } from "./namespaces.ts";
import { debianPlugins, dist } from "./plugin.ts";
import { type Recorder, recordCalls } from "./recorded-calls.ts";
import type { Scope } from "./scope.ts";

/** One installation, with containers, images and networks of its own. */
export interface Podman extends Recorder {
  /** `podman ARGS...`: what it printed. Rejects where it fails, with what it said. */
  podman(...args: readonly string[]): Promise<string>;
  /** The network namespace of a container, which lasts until podman is done with it. */
  namespaceOf(container: string): Promise<Namespace>;
  /**
   * The names in a directory of the box's, such as `/run/netns`, sorted; none where it is missing.
   */
  list(directory: string): string[];
}

/** The only image there is: a busybox, whose applets are called as `/busybox sleep 1000`. */
export const image = "busybox";

/** The reason to skip a test; false where podman is there and still knows CNI. */
function missingPodman(): string | false {
  const { stdout, failed } = execaSync("podman", ["--version"], { reject: false });
  const version = /\d+/.exec(failed ? "" : stdout)?.[0];
  if (version === undefined) return "podman is not installed";
  return Number(version) >= 5 && `podman is ${stdout.split(" ").at(-1)}, and has no CNI networks any more from 5 on`;
}

/**
 * The same, and false only where it also starts a container without any network: whatever else
 * keeps it from that is not about networks.
 */
export async function podmanObstacle(scope: Scope): Promise<string | false> {
  const missing = missingPodman();
  if (missing !== false) return missing;
  try {
    const { podman } = await installPodman(scope, await createNamespace(scope), []);
    await podman("run", "--rm", "--network=none", image, "/busybox", "true");
    return false;
  } catch (failure) {
    return `podman starts no container on this machine: ${(failure as Error).message}`;
  }
}

/** Our plugin and the ones of Debian's that the lists of tests have. */
const executables = [
  ...["bridge-binding", "passt-binding"].map((name) => `${dist}/${name}`),
  ...["bridge", "host-local", "tuning"].map((name) => `${debianPlugins}/${name}`),
];

/** What it keeps. `/etc/cni` is podman's own, were it not told of another place. */
const state = ["/var/lib/containers", "/var/lib/cni", "/etc/cni"];

/**
 * Installs podman, which runs in `node`, with these networks, and the image; all of it gone when
 * `scope` ends. Plugins have their default directories, such as
 * `/run/bridge-binding`, in a /run that nobody else sees.
 */
export async function installPodman(scope: Scope, node: Namespace, lists: readonly NetworkList[]): Promise<Podman> {
  const recorder = recordCalls(scope, executables);
  const directory = mkdtempSync(join(tmpdir(), "podman-"));
  scope.teardown(() => rmSync(directory, { recursive: true }));
  const networks = join(directory, "net.d");
  mkdirSync(networks);
  for (const list of lists) writeFileSync(join(networks, `${list.name}.conflist`), JSON.stringify(list));
  const configuration = join(directory, "containers.conf");
  writeFileSync(configuration, containersConf(networks, recorder.directory));
  const policy = join(directory, "policy.json");
  writeFileSync(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
  const box = await startBox(scope, node, state);
  const env = { CONTAINERS_CONF: configuration, HOME: "/run" };
  // Its storage is copies of files: overlays cannot be mounted on every machine.
  const podman = (...args: readonly string[]): Promise<string> =>
    box.run(["podman", "--storage-driver", "vfs", ...args], { env });
  const { stdout: archive } = await execa("tar", ["-C", "/bin", "-c", "busybox"], { encoding: "buffer" });
  await box.run(["podman", "--storage-driver", "vfs", "import", "--quiet", "-", image], { env, input: archive });
  return {
    ...recorder,
    podman,
    namespaceOf: async (container) => {
      const path = await podman("inspect", "--format={{.NetworkSettings.SandboxKey}}", container);
      return { name: container, path: box.outside(path) };
    },
    list: (path) => namesIn(box.outside(path)),
  };
}

/**
 * Its configuration: no cgroups, which it could not make in every container that tests run in, and
 * which networks do not need.
 */
function containersConf(networks: string, plugins: string): string {
  return `[network]
network_backend = "cni"
network_config_dir = "${networks}"
cni_plugin_dirs = ["${plugins}"]
[containers]
cgroups = "disabled"
log_driver = "none"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "crun"
`;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw failure;
  }
}
