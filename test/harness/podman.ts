// Runs podman with CNI networks: a container runtime that creates a network namespace, calls our
// plugins for it, and starts a container there.
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

/** An installation of podman with its own containers, images and networks. */
export interface Podman extends Recorder {
  /** Runs `podman ARGS...` and returns its output. Rejects with the output if podman fails. */
  podman(...args: readonly string[]): Promise<string>;
  /** The container's network namespace, which exists until podman removes it. */
  namespaceOf(container: string): Promise<Namespace>;
  /**
   * The sorted names in a directory of the box, such as `/run/netns`. Empty if it does not exist.
   */
  list(directory: string): string[];
}

/** The only image. It holds a busybox with which containers run commands: `/busybox sleep 1000`. */
export const image = "busybox";

/** Returns the reason to skip a test, or false if podman is installed and supports CNI. */
function missingPodman(): string | false {
  const { stdout, failed } = execaSync("podman", ["--version"], { reject: false });
  const version = /\d+/.exec(failed ? "" : stdout)?.[0];
  if (version === undefined) return "podman is not installed";
  return Number(version) >= 5 && `podman is ${stdout.split(" ").at(-1)}, and has no CNI networks any more from 5 on`;
}

/**
 * Returns the reason to skip a test, or false if podman also starts a container without a network.
 *
 * If it does not, the obstacle on this machine has nothing to do with networks.
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

/** Our plugins and those of Debian's that the tests' network lists use. */
const executables = [
  ...["bridge-binding", "passt-binding"].map((name) => `${dist}/${name}`),
  ...["bridge", "host-local", "tuning"].map((name) => `${debianPlugins}/${name}`),
];

/**
 * The directories in which podman keeps state. `/etc/cni` is podman's default for network
 * configurations.
 */
const state = ["/var/lib/containers", "/var/lib/cni", "/etc/cni"];

/**
 * Installs podman in the network namespace `node`, with these networks and the image, until `scope`
 * ends.
 *
 * Plugins use their default directories, such as `/run/bridge-binding`, in the box's own /run.
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
  // The vfs driver copies files, because not every machine can mount overlays.
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
 * Returns podman's configuration. It disables cgroups: networks do not need them, and podman cannot
 * create them in every container in which tests run.
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
