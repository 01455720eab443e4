import { readdir, readFile } from "node:fs/promises";
import t from "tap";
import { parse } from "yaml";
import { configVersion } from "../../../lib/cni/versions.ts";
import { schema as bridgeNetconf } from "../../../plugins/bridge-binding/netconf.ts";
import { schema as passtNetconf } from "../../../plugins/passt-binding/netconf.ts";
import { schema as sriovNetconf } from "../../../plugins/sriov-vfio/netconf.ts";

const root = new URL("../../../netconf-examples/", import.meta.url);
const netconfs = { "bridge-binding": bridgeNetconf, "passt-binding": passtNetconf, "sriov-vfio": sriovNetconf };

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: Record<string, unknown>;
}

const files = (await readdir(root, { recursive: true }))
  .filter((file) => /\.(yaml|json|conflist)$/.test(file) && !file.startsWith("schemas/"))
  .sort();
const texts = await Promise.all(
  files.map(async (file) => ({ file, text: await readFile(new URL(file, root), "utf8") })),
);
const manifests = texts
  .filter(({ file }) => file.endsWith(".yaml") && !file.endsWith("cdi.yaml"))
  .map(({ file, text }) => ({ file, manifest: parse(text) as Manifest }));

/** All network configurations among the examples, those inside manifests too. */
const configurations = [
  ...texts.filter(({ file }) => !file.endsWith(".yaml")),
  ...manifests
    .filter(({ manifest }) => manifest.kind === "NetworkAttachmentDefinition")
    .map(({ file, manifest }) => ({ file, text: String(manifest.spec.config) })),
].map(({ file, text }) => ({ file, conf: JSON.parse(text) as Record<string, unknown> }));

for (const { file, conf } of configurations) {
  t.test(`${file} is a configuration that our plugins take`, async (t) => {
    t.match(conf.name, /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/);
    configVersion(conf.cniVersion);
    const plugins = (conf.plugins ?? [conf]) as Record<string, unknown>[];
    const ours = plugins.filter(({ type }) => Object.hasOwn(netconfs, String(type)));
    t.ok(ours.length > 0, "has a plugin of ours");
    for (const plugin of ours) netconfs[plugin.type as keyof typeof netconfs].parse({ name: conf.name, ...plugin });
  });
}

for (const { file, manifest } of manifests) {
  t.test(`${file} is a manifest whose references resolve`, async (t) => {
    t.match(manifest, { apiVersion: /./, kind: /./, metadata: { name: /^[a-z0-9-]+$/ } });
    const names = (kind: string): string[] =>
      manifests
        .filter((other) => other.manifest.kind === kind)
        .map(({ manifest: { metadata } }) =>
          metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`,
        );
    if (manifest.kind === "KubeVirt")
      for (const binding of Object.values(bindingsOf(manifest))) {
        t.ok(
          names("NetworkAttachmentDefinition").includes(binding.networkAttachmentDefinition),
          binding.networkAttachmentDefinition,
        );
        t.equal(binding.migration.method, "link-refresh");
      }
    if (manifest.kind === "VirtualMachine") {
      const registered = manifests.flatMap((other) =>
        other.manifest.kind === "KubeVirt" ? Object.keys(bindingsOf(other.manifest)) : [],
      );
      const { interfaces, networks } = vmOf(manifest);
      for (const { name, binding } of interfaces) {
        if (binding !== undefined) t.ok(registered.includes(binding.name), binding.name);
        t.ok(
          networks.some((network) => network.name === name),
          `${name} is a network of the VM`,
        );
      }
    }
  });
}

t.test(
  "passt's registration reserves the memory that passt itself takes, and names what puts it into the domain",
  async (t) => {
    const passt = manifests.find(({ file }) => file === "passt/kubevirt.yaml")!;
    t.match(bindingsOf(passt.manifest).passt, {
      computeResourceOverhead: { requests: { memory: /^\d+Mi$/ } },
      sidecarImage: /network-passt-binding:/,
      domainAttachmentType: undefined,
    });
  },
);

t.test("the SR-IOV VM, its network, and the device plugin's resource belong together", async (t) => {
  const [network, plugin, vm] = ["network-attachment-definition", "device-plugin", "virtual-machine"].map(
    (name) => manifests.find(({ file }) => file === `sriov/${name}.yaml`)!.manifest,
  ) as [Manifest, Manifest & { data: Record<string, string> }, Manifest];
  const { resourceList } = JSON.parse(plugin.data["config.json"]!) as {
    resourceList: { resourcePrefix: string; resourceName: string }[];
  };
  const resources = resourceList.map(({ resourcePrefix, resourceName }) => `${resourcePrefix}/${resourceName}`);
  const { annotations, namespace, name } = network.metadata as Manifest["metadata"] & {
    annotations: Record<string, string>;
  };
  t.same(resources, [annotations["k8s.v1.cni.cncf.io/resourceName"]]);
  const { interfaces, networks } = vmOf(vm);
  t.match(interfaces, [{ sriov: {} }]);
  t.same(
    networks.map(({ multus }) => multus?.networkName),
    [`${namespace}/${name}`],
  );
  t.match(JSON.parse(String(network.spec["config"])), { capabilities: { mac: true, CNIDeviceInfoFile: true } });
});

t.test("the CDI example has the files that VFIO needs", async (t) => {
  const cdi = parse(texts.find(({ file }) => file === "sriov/cdi.yaml")!.text);
  t.same(
    cdi.devices[0].containerEdits.deviceNodes.map(({ path }: { path: string }) => path),
    ["/dev/vfio/vfio", "/dev/vfio/74"],
  );
});

interface Binding {
  readonly networkAttachmentDefinition: string;
  readonly migration: { readonly method: string };
}

function bindingsOf({ spec }: Manifest): Record<string, Binding> {
  // biome-ignore lint/suspicious/noExplicitAny: what YAML holds
  return (spec as any).configuration.network.binding;
}

function vmOf({ spec }: Manifest): {
  interfaces: { name: string; binding?: { name: string }; sriov?: object }[];
  networks: { name: string; multus?: { networkName: string } }[];
} {
  // biome-ignore lint/suspicious/noExplicitAny: what YAML holds
  const { domain, networks } = (spec as any).template.spec;
  return { interfaces: domain.devices.interfaces, networks };
}
