// Runs `diagnose` as an operator does, and creates the pods to diagnose.
import { execa } from "execa";
import type { Document } from "../../../../lib/diagnosis/document.ts";
import { type Attachment, attachmentOf, newDataDir } from "../../../harness/attachment.ts";
import { dist } from "../../../harness/plugin.ts";
import { createPod, type Network, type NetworkOptions, type Pod } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";

export interface Diagnosed {
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `vmnet diagnose` with these arguments. */
export async function diagnose(args: readonly string[]): Promise<Diagnosed> {
  const { exitCode, stdout, stderr } = await execa(`${dist}/vmnet`, ["diagnose", ...args], {
    reject: false,
    extendEnv: false,
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
    timeout: 20_000,
  });
  return { status: exitCode, stdout, stderr };
}

/** A pod to diagnose. */
export interface Patient {
  readonly pod: Pod;
  readonly network: Network;
  readonly dataDir: string;
  readonly binding: Attachment;
  /** Runs `diagnose --json` and returns its document and exit status. */
  document(): Promise<Document & { readonly status: number | undefined }>;
  /** Runs `diagnose` and returns each finding's code and subject, such as `link-down tap0`. */
  findings(): Promise<string[]>;
}

/** Creates a pod on a network, and adds an attachment of the plugin. */
export async function patientOf(
  t: Scope,
  plugin: "bridge-binding" | "passt-binding" = "bridge-binding",
  { netconf = {}, ...network }: Partial<NetworkOptions> & { netconf?: Record<string, unknown> } = {},
): Promise<Patient> {
  const pod = await createPod(t);
  const attached = await pod.attach({ kind: "bridge", families: "dual", ...network });
  const dataDir = await newDataDir(t, plugin);
  const binding = await attachmentOf(t, plugin, pod, { dataDir, netconf });
  await binding.add();
  const document = async () => {
    const { status, stdout, stderr } = await diagnose(["--json", "--data-dir", dataDir, pod.namespace.path]);
    if (stdout === "") throw new Error(stderr);
    return { ...(JSON.parse(stdout) as Document), status };
  };
  const findings = async () => (await document()).findings.map(({ code, subject }) => `${code} ${subject}`);
  return { pod, network: attached, dataDir, binding, document, findings };
}
