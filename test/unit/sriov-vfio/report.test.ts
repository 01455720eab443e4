import t from "tap";
import { writeResult } from "../../../lib/cni/conversion.ts";
import type { Result } from "../../../lib/cni/results.ts";
import { versions } from "../../../lib/cni/versions.ts";
import { report } from "../../../plugins/sriov-vfio/report.ts";

const vf = { name: "net1", sandbox: "/run/netns/pod", mac: "02:00:00:00:00:01", mtu: 1500, pciID: "0000:01:10.2" };

/** Finds a network as KubeVirt and Multus do. */
function sandboxed(result: Result): unknown[] {
  return (result.interfaces ?? []).filter(({ sandbox }) => sandbox !== undefined && sandbox !== "");
}

t.test("the result holds the VF only", async (t) => {
  t.strictSame(report(vf), { interfaces: [vf] });
});

t.test("IPAM's addresses are on the VF, with routes and DNS", async (t) => {
  const assigned: Result = {
    ips: [{ address: "10.0.0.7/24", gateway: "10.0.0.1" }, { address: "fd00::7/64" }],
    routes: [{ dst: "0.0.0.0/0" }],
    dns: { nameservers: ["10.0.0.1"] },
  };
  t.strictSame(report(vf, assigned), {
    interfaces: [vf],
    ips: assigned.ips!.map((ip) => ({ ...ip, interface: 0 })),
    routes: assigned.routes,
    dns: assigned.dns,
  });
});

t.test("in a chain earlier entries keep their positions, and one interface with a sandbox has this name", async (t) => {
  const prevResult: Result = {
    interfaces: [
      { name: "cni0", mac: "02:00:00:00:00:0b" },
      { name: "eth0", sandbox: "/run/netns/pod" },
    ],
    ips: [{ address: "10.244.0.7/24", interface: 1 }],
    routes: [{ dst: "10.0.0.0/8" }],
    dns: { nameservers: ["10.96.0.10"] },
  };
  const result = report(vf, { ips: [{ address: "10.0.0.7/24" }], routes: [{ dst: "0.0.0.0/0" }] }, prevResult);
  t.strictSame(result, {
    interfaces: [...prevResult.interfaces!, vf],
    ips: [
      { address: "10.244.0.7/24", interface: 1 },
      { address: "10.0.0.7/24", interface: 2 },
    ],
    routes: [{ dst: "10.0.0.0/8" }, { dst: "0.0.0.0/0" }],
    dns: { nameservers: ["10.96.0.10"] },
  });
  t.equal(sandboxed(result).filter((one) => (one as typeof vf).name === "net1").length, 1);
});

t.test("in every version the result holds all that the version can express", async (t) => {
  for (const version of versions) {
    const document = JSON.parse(
      JSON.stringify(writeResult(report(vf, { ips: [{ address: "10.0.0.7/24" }] }), version, undefined)),
    );
    const [link] = document.interfaces ?? [];
    if (version === "0.1.0" || version === "0.2.0")
      t.strictSame(document, { cniVersion: version, ip4: { ip: "10.0.0.7/24" } });
    else {
      const { mtu, pciID, ...old } = vf;
      t.strictSame(link, version === "1.1.0" ? vf : old, version);
      t.match(document.ips, [{ address: "10.0.0.7/24", interface: 0 }]);
    }
  }
});
