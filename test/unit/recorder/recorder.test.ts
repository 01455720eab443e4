import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { compare } from "../../recorder/compare.ts";
import { maskedCall, maskedDocument, maskedMessage } from "../../recorder/mask.ts";

t.test("a recorded document keeps codes and masks messages", async (t) => {
  const document = JSON.stringify({ cniVersion: "1.0.0", code: 7, msg: "mtu: is wrong", details: "why" });

  t.equal(maskedDocument(document), '{"cniVersion":"1.0.0","code":7,"msg":"<words>","details":"<words>"}');
  t.equal(maskedDocument("no JSON"), "<text>");
  t.equal(maskedDocument(""), "");
});

t.test("a recorded netlink message keeps attributes and masks indexes and MAC addresses", async (t) => {
  const header = "000000000b0000000100000001000000";
  const name = `0d000300${Buffer.from("k6t-eth0\0").toString("hex")}000000`;
  const mac = "0a00010002362bae2f2b0000";

  const masked = maskedMessage(0x10, Buffer.from(header + name + mac, "hex"));

  t.equal(masked, `00000000*${"01000000".repeat(2)} 3=${Buffer.from("k6t-eth0\0").toString("hex")} 1=*`);
});

t.test("only system calls that send or change something are recorded", async (t) => {
  t.equal(
    maskedCall('write(9</proc/sys/net/ipv4/conf/all/arp_ignore>, "1", 1) = 1'),
    "write /proc/sys/net/ipv4/conf/all/arp_ignore 1",
  );
  t.equal(maskedCall('open("/run/x", O_RDONLY|O_CLOEXEC) = 3</run/x>'), undefined);
  t.equal(maskedCall('write(1</tmp/x>, "{}", 2) = 2'), undefined);
  t.equal(maskedCall("--- SIGURG {si_signo=SIGURG} ---"), undefined);
  t.match(
    maskedCall(
      'sendto(7<socket:[1]>, [{nlmsg_len=24, nlmsg_type=0x16 /* NLMSG_??? */, nlmsg_flags=NLM_F_REQUEST|0x300, nlmsg_seq=2, nlmsg_pid=0}, "\\x00\\x00\\x00\\x00\\x07\\x00\\x00\\x00"], 24, 0, NULL, 0) = 24',
    ),
    /^netlink 0x16 NLM_F_REQUEST\|0x300 00000000\*$/,
  );
});

let records = 0;

function recordOf(t: Test, ...lines: readonly object[]): string {
  const directory = mkdtempSync(join(tmpdir(), `record-${records++}-`));
  t.teardown(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, "add.jsonl"), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  return directory;
}

t.test("compare names a call that changed, and no call that is unchanged", async (t) => {
  const call = { call: ["ADD"], status: 0, answer: "{}" };
  const before = [recordOf(t, { ...call, effects: ["a"] }), recordOf(t, { ...call, effects: ["b"] })];

  t.same(compare(recordOf(t, { ...call, effects: ["b"] }, { ...call, effects: ["a"] }), before), []);
  t.match(compare(recordOf(t, { ...call, effects: ["c"] }), before), [
    { file: "add.jsonl", added: [/"c"/], missing: [] },
  ]);
  t.match(compare(recordOf(t, { ...call, status: 1, effects: ["a"] }), before), [
    { added: [/"status":1/], missing: [/"status":0/] },
  ]);
});
