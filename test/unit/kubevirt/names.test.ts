import { createHash } from "node:crypto";
import t from "tap";
import { linkNames, podLinkName } from "../../../lib/kubevirt/names.ts";
import { fc } from "../../harness/fast-check.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

t.test("a secondary network's pod link is KubeVirt's hash of its name", async (t) => {
  t.equal(podLinkName("blue", sha256), "pod16477688c0e");
  t.equal(podLinkName("red", sha256), "podb1f51a511f1");
  t.equal(podLinkName("bridge-net", sha256), "pod03b731d2111");
});

t.test("the primary network's links are named after its link", async (t) => {
  t.same(linkNames("eth0", true, sha256), { podLink: "eth0", bridge: "k6t-eth0", nic: "eth0-nic", tap: "tap0" });
  t.same(linkNames("ovn-udn1", true, sha256), {
    podLink: "ovn-udn1",
    bridge: "k6t-ovn-udn1",
    nic: "ovn-udn1-nic",
    tap: "tap0",
  });
});

t.test("a secondary network's links share its hash", async (t) => {
  t.same(linkNames("pod16477688c0e", false, sha256), {
    podLink: "pod16477688c0e",
    bridge: "k6t-16477688c0e",
    nic: "16477688c0e-nic",
    tap: "tap16477688c0e",
  });
});

t.test("the ordinal names of old VMs keep their number", async (t) => {
  t.same(linkNames("net1", false, sha256), { podLink: "net1", bridge: "k6t-net1", nic: "net1-nic", tap: "tap1" });
});

t.test("two links of one pod never share a name", async (t) => {
  const name = fc.oneof(
    fc.constantFrom("net0", "net1", "pod16477688c0e", "podb1f51a511f1"),
    fc.stringMatching(/^[a-z][a-z0-9-]{0,14}$/),
  );
  fc.assert(
    fc.property(name, name, (one, other) => {
      fc.pre(one !== other && one !== "eth0" && other !== "eth0");
      const all = [...Object.values(linkNames(one, false, sha256)), ...Object.values(linkNames(other, false, sha256))];
      // A link that is itself called like another's bridge is found to be in the way when ADD
      // looks.
      fc.pre(!/^(k6t-|tap)|-nic$/.test(one) && !/^(k6t-|tap)|-nic$/.test(other));
      t.equal(new Set(all).size, all.length, `${one} and ${other}`);
    }),
  );
});

t.test("every name fits in the kernel's 15 bytes", async (t) => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", minLength: 1, maxLength: 15 }), fc.boolean(), (link, primary) => {
      fc.pre(Buffer.byteLength(link) <= 15);
      for (const name of Object.values(linkNames(link, primary, sha256))) t.ok(Buffer.byteLength(name) <= 15, name);
    }),
  );
});
