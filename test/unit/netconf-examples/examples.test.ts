import { readdir, readFile } from "node:fs/promises";
import t from "tap";
import { parse } from "yaml";
import { configVersion } from "../../../lib/cni/versions.ts";
import { netconf as bridgeNetconf } from "../../../plugins/bridge-binding/netconf.ts";
import { netconf as passtNetconf } from "../../../plugins/passt-binding/netconf.ts";

const root = new URL("../../../netconf-examples/", import.meta.url);
const netconfs = { "bridge-binding": bridgeNetconf, "passt-binding": passtNetconf };

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: Record<string, unknown>;
}

const files = (await readdir(root, { recursive: true })).filter((file) => /\.(yaml|json|conflist)$/.test(file)).sort();
const texts = await Promise.all(
  files.map(async (file) => ({ file, text: await readFile(new URL(file, root), "utf8") })),
);
const manifests = texts
  .filter(({ file }) => file.endsWith(".yaml"))
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
        t.ok(registered.includes(binding.name), binding.name);
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

interface Binding {
  readonly networkAttachmentDefinition: string;
  readonly migration: { readonly method: string };
}

function bindingsOf({ spec }: Manifest): Record<string, Binding> {
  // biome-ignore lint/suspicious/noExplicitAny: what YAML holds
  return (spec as any).configuration.network.binding;
}

function vmOf({ spec }: Manifest): {
  interfaces: { name: string; binding: { name: string } }[];
  networks: { name: string }[];
} {
  // biome-ignore lint/suspicious/noExplicitAny: what YAML holds
  const { domain, networks } = (spec as any).template.spec;
  return { interfaces: domain.devices.interfaces, networks };
}
