// What deploy/ applies: that it refers to what is there, and lets a pod do no more than it has to.
import { readdir, readFile, stat } from "node:fs/promises";
import t from "tap";
import { parse } from "yaml";

const root = new URL("../../../", import.meta.url);
const read = async (file: string): Promise<Manifest> => parse(await readFile(new URL(file, root), "utf8")) as Manifest;

// biome-ignore lint/suspicious/noExplicitAny: any manifest
type Manifest = any;

interface Operation {
  readonly op: string;
  readonly path: string;
  readonly value: unknown;
}

const kustomizations = [
  ...(await readdir(new URL("deploy/", root), { recursive: true })).map((file) => `deploy/${file}`),
  ...(await readdir(new URL("netconf-examples/", root), { recursive: true })).map((file) => `netconf-examples/${file}`),
].filter((file) => file.endsWith("/kustomization.yaml"));

const daemonSet = await read("deploy/install/daemonset.yaml");
const pod = daemonSet.spec.template.spec;
const [container] = pod.containers;

/** RFC 6902, as far as it is used: `add`. */
function patched(document: Manifest, { op, path, value }: Operation): Manifest {
  if (op !== "add") throw new Error(`${op}: is not add`);
  const copy = structuredClone(document);
  const keys = path.split("/").slice(1);
  const last = keys.pop()!;
  let place = copy;
  for (const key of keys) {
    if (!Object.hasOwn(place, key)) throw new Error(`${path}: there is no ${key}`);
    place = place[key];
  }
  if (Array.isArray(place)) place.push(value);
  else place[last] = value;
  return copy;
}

/** RFC 7386. */
function merged(target: Manifest, patch: Manifest): Manifest {
  if (typeof patch !== "object" || Array.isArray(patch)) return patch;
  const entries = Object.entries(patch).map(([key, value]) => [key, merged(target?.[key] ?? {}, value)] as const);
  return { ...target, ...Object.fromEntries(entries) };
}

t.ok(kustomizations.length >= 6, kustomizations.join(" "));

for (const file of kustomizations)
  t.test(`${file} refers to what is there`, async (t) => {
    const { kind, resources } = await read(file);
    if (kind === "Component") {
      t.equal(resources, undefined);
      return;
    }
    t.equal(kind, "Kustomization");
    t.ok(resources.length > 0);
    for (const resource of resources as string[]) {
      const url = new URL(resource, new URL(file, root));
      const found = await stat(url);
      if (found.isDirectory()) {
        t.notOk(new URL(file, root).href.startsWith(`${url.href.replace(/\/$/, "")}/`), resource);
        t.ok(await stat(new URL("kustomization.yaml", `${url.href.replace(/\/$/, "")}/`)), resource);
        // kustomize takes no directory that the referring one is in, and no file from above its own
        // directory.
      } else t.notMatch(resource, /\.\./);
    }
  });

t.test("the image's tag is this release's", async (t) => {
  const { version } = JSON.parse(await readFile(new URL("package.json", root), "utf8"));
  const { images } = await read("deploy/install/kustomization.yaml");
  t.match(images, [{ name: container.image, newTag: version }]);
});

t.test("the pod has only the privileges that installing needs", async (t) => {
  t.notOk(pod.hostNetwork || pod.hostPID || pod.hostIPC || pod.initContainers || pod.serviceAccountName);
  t.match(pod, {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: { runAsUser: 0, runAsGroup: 0, seccompProfile: { type: "RuntimeDefault" } },
  });
  t.equal(pod.containers.length, 1);
  t.same(container.securityContext, {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  });
  t.same(pod.volumes, [{ name: "cni-bin", hostPath: { path: "/opt/cni/bin", type: "Directory" } }]);
});

t.test("the pod runs on every node, and requests few resources", async (t) => {
  t.same(pod.tolerations, [{ operator: "Exists" }]);
  t.same(pod.nodeSelector, { "kubernetes.io/os": "linux" });
  t.match(container.resources, { requests: { cpu: /m$/, memory: /Mi$/ }, limits: { cpu: /m$/, memory: /Mi$/ } });
  t.match(daemonSet.spec, {
    selector: { matchLabels: daemonSet.spec.template.metadata.labels },
    minReadySeconds: 10,
    updateStrategy: { type: "RollingUpdate" },
  });
});

t.test("the arguments name the directory that is mounted", async (t) => {
  const [{ mountPath }] = container.volumeMounts;
  t.same(container.args, ["--to", mountPath, "--stay"]);
  const dockerfile = await readFile(new URL("deploy/Dockerfile", root), "utf8");
  t.ok(dockerfile.includes(`CMD ["--to", "${mountPath}"]`));
});

t.test("the kustomizations for uninstalling and SELinux differ from the DaemonSet in that only", async (t) => {
  for (const [folder, expected] of [
    [
      "uninstall",
      merged(daemonSet, {
        spec: { template: { spec: { containers: [{ ...container, args: [...container.args, "--uninstall"] }] } } },
      }),
    ],
    [
      "selinux",
      merged(daemonSet, { spec: { template: { spec: { securityContext: { seLinuxOptions: { type: "spc_t" } } } } } }),
    ],
  ] as const) {
    const { resources, patches } = await read(`deploy/${folder}/kustomization.yaml`);
    t.same(resources, folder === "uninstall" ? ["../install"] : undefined);
    const operations = (patches as { target: unknown; patch: string }[]).flatMap(({ target, patch }) => {
      t.same(target, { kind: "DaemonSet", name: daemonSet.metadata.name });
      return parse(patch) as Operation[];
    });
    t.same(operations.reduce(patched, daemonSet), expected, folder);
  }
});

t.test("registering a binding keeps the other one and all other settings of KubeVirt", async (t) => {
  const before = {
    spec: {
      configuration: {
        developerConfiguration: { featureGates: ["A"] },
        network: { permitBridgeInterfaceOnPodNetwork: true },
      },
    },
  };
  const patches = [
    await read("netconf-examples/bridge/kubevirt.yaml"),
    await read("netconf-examples/passt/kubevirt.yaml"),
  ];
  const { configuration } = patches.reduce(merged, before).spec;
  t.same(configuration.developerConfiguration, { featureGates: ["A"] });
  t.equal(configuration.network.permitBridgeInterfaceOnPodNetwork, true);
  t.same(Object.keys(configuration.network.binding), ["in-pod-bridge", "passt"]);
});
