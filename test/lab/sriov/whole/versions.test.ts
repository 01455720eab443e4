// Tests the results of sriov-vfio in each version of the CNI specification, alone and in a chain.
//
// The VF is on vfio-pci before ADD.
import t from "tap";
import { previousResult, versions } from "../../../harness/previous-result.ts";
import { bindTo } from "../../../harness/sriov.ts";
import { done, podWith, stateOf, vfsOf } from "../pod.ts";

const [vf] = await vfsOf(t, "eth0", 1, { probe: false });
bindTo(vf.address, "vfio-pci");
const before = await stateOf(vf);
const mac = "02:00:00:00:00:77";

for (const cniVersion of versions)
  t.test(`ADD returns the VF in the format of version ${cniVersion}, and CHECK accepts the result`, async (t) => {
    const { run, path } = await podWith(t, vf, { cniVersion, vlan: 7 });
    const own = { name: "net1", mac, sandbox: path, ...(cniVersion >= "1.1.0" && { mtu: 1500, pciID: vf.address }) };
    const previous = previousResult(cniVersion, { mac: "02:00:00:00:00:01" }, { namespace: { path } }) as {
      interfaces?: readonly object[];
    };
    const { interfaces = [] } = previous;
    for (const [prevResult, expected] of [
      [undefined, cniVersion < "0.3.0" ? { cniVersion } : { cniVersion, interfaces: [own] }],
      [previous, cniVersion < "0.3.0" ? previous : { ...previous, interfaces: [...interfaces, own] }],
    ] as const) {
      const { result } = await run("ADD", { prevResult }, { args: `MAC=${mac}` });
      t.same(result, expected);
      t.match(
        await run("CHECK", { prevResult: result }, { args: `MAC=${mac}` }),
        cniVersion < "0.4.0" ? { status: 1, error: { cniVersion, code: 1 } } : done,
      );
      t.match(await run("DEL", { prevResult: result }), done);
    }
    t.same(await stateOf(vf), before);
  });
