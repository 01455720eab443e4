// address-only, the example that engineers copy: reports what the IPAM plugin gives, and keeps
// nothing itself.
import { mkdtempSync, rmSync } from "node:fs";
import { rename } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import type { Netconf } from "../../../harness/attachment.ts";
import { createPod } from "../../../harness/pod.ts";
import { previousResult } from "../../../harness/previous-result.ts";
import type { Scope } from "../../../harness/scope.ts";
import { snapshot } from "../../../harness/snapshot.ts";
import { leased, leaseKeeper } from "../lease-keeper.ts";
import { fileLines, type Ground, type Subject } from "../subject.ts";

const name = "address-only";

/** Builds it first, which takes a second. */
export async function addressOnly(scope: Scope): Promise<Subject> {
  const directory = temporary(scope);
  const build = fileURLToPath(new URL("../../../../scripts/build", import.meta.url));
  await execa(build, ["--plugins", "examples", "--out", directory], { cwd: join(build, "../..") });
  return {
    name,
    path: join(directory, name),
    attaches: true,
    ipam: "required",
    reach: "pod",
    records: false,
    appended: [],
    ground,
    result: (cniVersion) => ({ cniVersion, ...(cniVersion >= "0.3.0" ? lists(cniVersion) : families) }),
  };
}

async function ground(scope: Scope, beside?: Ground): Promise<Ground> {
  const directory = beside?.directory ?? temporary(scope);
  const { ipam, path } = leaseKeeper(directory);
  const pod = await createPod(scope);
  const call = { ...pod.call("net1"), path };
  const lease = join(directory, "leases", `${call.containerId}:${call.ifname}`);
  return {
    call,
    netconf: { cniVersion: "1.1.0", name, type: name, ipam },
    namespace: pod.namespace,
    directory,
    state: async () => [...(await snapshot(pod.namespace)), ...fileLines(directory)],
    surroundings: () => snapshot(pod.node),
    previousResult: (version) => previousResult(version, { mac: "02:00:00:00:00:01" }, pod),
    meddle: async () => {
      await rename(lease, `${directory}/elsewhere`);
      return () => rename(`${directory}/elsewhere`, lease);
    },
  };
}

function temporary(scope: Scope): string {
  const directory = mkdtempSync(join(tmpdir(), "address-only-"));
  scope.teardown(() => rmSync(directory, { recursive: true }));
  return directory;
}

const [four, six] = leased.ips;
const [via4, via6] = leased.routes;
const families: Netconf = {
  ip4: { ip: four.address, gateway: four.gateway, routes: [via4] },
  ip6: { ip: six.address, routes: [via6] },
};

function lists(version: string): Netconf {
  const family = (version: string, ip: object) => ({ version, ...ip });
  const ips = version < "1.0.0" ? [family("4", four), family("6", six)] : leased.ips;
  return { ips, routes: leased.routes };
}
