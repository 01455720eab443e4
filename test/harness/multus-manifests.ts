// Builds the objects that Multus reads from the API: a VM's pod as KubeVirt creates it, and
// NetworkAttachmentDefinitions.
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import type { Netconf } from "./attachment.ts";
import type { KubeObject } from "./kube-api.ts";
import { networksAnnotation, networksFor, type VmNetwork } from "./multus-kubevirt.ts";

/** Returns the virt-launcher pod of a VM with these networks. */
export function launcherPod(networks: readonly VmNetwork[]): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "virt-launcher-vm-x7k2p",
      namespace: "vms",
      uid: "6a1c1c9e-0d0f-4a6b-9f43-0d4a8f6f4f11",
      annotations: { [networksAnnotation]: networksFor(networks), "kubevirt.io/domain": "vm" },
    },
    spec: { containers: [{ name: "compute", image: "virt-launcher" }] },
  };
}

/** Returns the NetworkAttachmentDefinition with a name such as `vms/net-a`. */
export function definition(reference: string, config: Netconf): KubeObject {
  const [namespace, name] = reference.split("/") as [string, string];
  return {
    apiVersion: "k8s.cni.cncf.io/v1",
    kind: "NetworkAttachmentDefinition",
    metadata: { name, namespace },
    spec: { config: JSON.stringify(config) },
  };
}

/**
 * Returns the NetworkAttachmentDefinition of a folder in netconf-examples. The fields of `more` are
 * added to its netconf.
 */
export function example(folder: "bridge" | "passt" | "sriov", more: Netconf = {}): KubeObject {
  const file = new URL(`../../netconf-examples/${folder}/network-attachment-definition.yaml`, import.meta.url);
  const object = parse(readFileSync(file, "utf8")) as KubeObject & { readonly spec: { readonly config: string } };
  return { ...object, spec: { config: JSON.stringify({ ...JSON.parse(object.spec.config), ...more }) } };
}
