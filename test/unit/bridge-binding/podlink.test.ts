import { createHash } from "node:crypto";
import t from "tap";
import { choosePodLink, type PodLinkQuery } from "../../../plugins/bridge-binding/podlink.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

function chosen(more: Partial<PodLinkQuery>): string {
  const request = {
    conf: { primaryInterface: "eth0" },
    ifname: "net1",
    chained: false,
    logicNetworkName: undefined,
    present: ["lo", "eth0"],
  };
  return choosePodLink({ ...request, ...more }, sha256);
}

t.test("the configuration's interface comes first", async (t) => {
  t.equal(
    chosen({ conf: { interface: "data", primaryInterface: "eth0" }, chained: true, logicNetworkName: "blue" }),
    "data",
  );
});

t.test("in a chain, the pod link is CNI_IFNAME", async (t) => {
  t.equal(chosen({ chained: true, ifname: "eth0" }), "eth0");
});

t.test("a binding takes the VM's network's link if it is there, else the primary one", async (t) => {
  t.equal(chosen({ logicNetworkName: "blue", present: ["eth0", "pod16477688c0e"] }), "pod16477688c0e");
  t.equal(chosen({ logicNetworkName: "blue" }), "eth0");
  t.equal(chosen({ logicNetworkName: "blue", conf: { primaryInterface: "ovn-udn1" } }), "ovn-udn1");
  t.equal(chosen({}), "eth0");
});

t.test("a binding never picks one of Multus' netN names", async (t) => {
  t.equal(chosen({ ifname: "net1", present: ["eth0", "net1"] }), "eth0");
});
