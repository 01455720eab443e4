import t from "tap";
import { type Call, callPlugin } from "../../harness/plugin.ts";
import { createPod } from "../../harness/pod.ts";
import { settledDifferences, snapshot } from "../../harness/snapshot.ts";
import { bindingOf } from "./binding.ts";

/** What is refused, and how. */
interface Refusal {
  readonly what: string;
  /** On top of a call that would succeed. */
  readonly call?: Call;
  /** Standard input, made of a configuration that would be taken. */
  readonly stdin?: (netconf: object) => string;
  readonly verb?: string;
  readonly code: number;
  readonly msg: RegExp;
  readonly details?: RegExp | string;
}

const deep = (levels: number) => (netconf: object) =>
  JSON.stringify(netconf).replace("{", `{"args":${'{"a":'.repeat(levels)}1${"}".repeat(levels)},`);
const instead = (text: string) => () => text;
const without = (...names: string[]) => ({ env: Object.fromEntries(names.map((name) => [name, ""])) });

/** Reference: SPEC.md, sections 2 and 5; what pkg/skel of containernetworking/cni answers. */
const refusals: readonly Refusal[] = [
  { what: "an unknown verb", verb: "FOO", code: 4, msg: /^unknown CNI_COMMAND: FOO$/ },
  { what: "a verb in lower case", verb: "add", code: 4, msg: /^unknown CNI_COMMAND: add$/ },
  { what: "a property of every object as a verb", verb: "toString", code: 4, msg: /^unknown CNI_COMMAND: toString$/ },
  {
    what: "no container ID, no namespace and no interface",
    call: without("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"),
    code: 4,
    msg: /^required env variables \[CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME\] missing$/,
  },
  { what: "no namespace", call: without("CNI_NETNS"), code: 4, msg: /^required env variables \[CNI_NETNS\] missing$/ },
  {
    what: "DEL without a container ID, and without what it needs not",
    verb: "DEL",
    call: without("CNI_CONTAINERID", "CNI_NETNS"),
    code: 4,
    msg: /^required env variables \[CNI_CONTAINERID\] missing$/,
  },
  ...["../../etc/passwd", "../x", "a/b", "-a", ".a", "a b", "a\n", "ä"].map((containerId) => ({
    what: `the container ID ${JSON.stringify(containerId)}`,
    call: { containerId },
    code: 4,
    msg: /^invalid characters in containerID$/,
    details: JSON.stringify(containerId),
  })),
  {
    what: "a container ID that no file name has room for",
    call: { containerId: "a".repeat(300) },
    code: 102,
    msg: /CNI_CONTAINERID: is 300 characters long/,
  },
  { what: "an interface of 16 bytes", call: { ifname: "a".repeat(16) }, code: 4, msg: /^interface name is too long$/ },
  { what: "an interface of 8 letters and 16 bytes", call: { ifname: "ä".repeat(8) }, code: 4, msg: /is too long$/ },
  ...[".", ".."].map((ifname) => ({
    what: `the interface ${ifname}`,
    call: { ifname },
    code: 4,
    msg: /^interface name is \. or \.\.$/,
  })),
  ...["a/b", "a:b", "a b", "a\tb", "a\u00a0b", "a\u2003b", "a\n"].map((ifname) => ({
    what: `the interface ${JSON.stringify(ifname)}`,
    call: { ifname },
    code: 4,
    msg: /^interface name contains \/ or : or whitespace characters$/,
  })),
  { what: "CNI_ARGS without a pair", call: { args: "IgnoreUnknown" }, code: 4, msg: /CNI_ARGS: .*"IgnoreUnknown"/ },
  {
    what: "a MAC that is none",
    call: { args: "MAC=none" },
    code: 4,
    msg: /CNI_ARGS: MAC: must be a unicast MAC .*none/,
  },
  {
    what: "a multicast MAC",
    call: { args: "MAC=01:00:5e:00:00:01" },
    code: 4,
    msg: /CNI_ARGS: MAC: must be a unicast/,
  },

  { what: "nothing on standard input", stdin: instead(""), code: 6, msg: /netconf: standard input is empty/ },
  { what: "white space on standard input", stdin: instead(" \n\t"), code: 6, msg: /netconf: standard input is empty/ },
  { what: "half an object", stdin: (netconf) => JSON.stringify(netconf).slice(0, -1), code: 6, msg: /netconf: / },
  { what: "a trailing byte", stdin: (netconf) => `${JSON.stringify(netconf)} x`, code: 6, msg: /netconf: / },
  { what: "two objects", stdin: (netconf) => JSON.stringify(netconf).repeat(2), code: 6, msg: /netconf: / },
  { what: "a list", stdin: (netconf) => JSON.stringify([netconf]), code: 6, msg: /netconf: .*object/ },
  { what: "null", stdin: instead("null"), code: 6, msg: /netconf: .*object/ },
  { what: "text", stdin: instead('"bridge-binding"'), code: 6, msg: /netconf: .*object/ },
  { what: "JSON with a comment", stdin: (netconf) => `${JSON.stringify(netconf)} // c`, code: 6, msg: /netconf: / },
  { what: "JSON of 1 MiB that is 170 000 deep", stdin: deep(170_000), code: 6, msg: /netconf: .*(deep|nest|levels)/ },
  {
    what: "2 MiB",
    stdin: (netconf) => JSON.stringify({ ...netconf, dns: { a: "a".repeat(2 << 20) } }),
    code: 6,
    msg: /netconf: is longer than 1 MiB/,
  },
  { what: "an empty object", stdin: instead("{}"), code: 7, msg: /^missing network name$/ },
  {
    what: "an empty name",
    stdin: (netconf) => JSON.stringify({ ...netconf, name: "" }),
    code: 7,
    msg: /^missing network/,
  },
  {
    what: "a name with a slash",
    stdin: (netconf) => JSON.stringify({ ...netconf, name: "a/b" }),
    code: 7,
    msg: /^invalid characters found in network name$/,
    details: /a\/b/,
  },
  ...["9.9.9", "1.0", "1.0.1", "2.0.0", 1].map((cniVersion) => ({
    what: `cniVersion ${JSON.stringify(cniVersion)}`,
    stdin: (netconf: object) => JSON.stringify({ ...netconf, cniVersion }),
    code: 1,
    msg: /^incompatible CNI versions$/,
    details: /config is "?[\d.]+"?, plugin supports \["0\.1\.0",.*"1\.1\.0"\]/,
  })),
];

t.test("refused, with the pod as it was and nothing recorded:", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge", families: "dual" });
  const before = await snapshot(pod.namespace);
  const binding = await bindingOf(t, pod);
  for (const { what, call = {}, stdin = JSON.stringify, verb = "ADD", code, msg, details } of refusals) {
    const answer = await callPlugin("bridge-binding", verb, { ...binding.call, ...call }, stdin(binding.netconf));
    t.match(answer, { status: 1, error: { code, msg, ...(details && { details }) } }, what);
    t.match(answer.error, { cniVersion: /^\d+\.\d+\.\d+$/, code: Number, msg: String }, "an error as specified");
    t.match(answer.stdout, /^[^\n]+\n$/, "and nothing but it");
  }
  t.same(await settledDifferences(pod.namespace, before), []);
  t.same(await binding.journal(), []);
});

t.test("JSON 1000 deep, in a place that is none of ours, is no reason to refuse", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge" });
  const { call, netconf } = await bindingOf(t, pod, { netconf: { args: undefined } });
  for (const verb of ["ADD", "DEL"])
    t.match(await callPlugin("bridge-binding", verb, call, deep(1000)(netconf)), { status: 0 }, verb);
});

t.test("a variable that the verb does not need is not looked at", async (t) => {
  const pod = await createPod(t);
  const { call, netconf } = await bindingOf(t, pod);
  const del = await callPlugin("bridge-binding", "DEL", { ...call, env: { CNI_NETNS: "", CNI_PATH: "" } }, netconf);
  t.match(del, { status: 0, stdout: "" });
  const bad = { containerId: "../x", ifname: "a/b", netns: "/nowhere" };
  for (const verb of ["STATUS", "GC"])
    t.match(await callPlugin("bridge-binding", verb, bad, netconf), { status: 0, stdout: "" }, verb);
  t.match(await callPlugin("bridge-binding", "VERSION", bad, "{"), { status: 0 });
});

t.test("a namespace that is missing, is something else, or is the plugin's own, is refused with code 8", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge" });
  const before = await Promise.all([pod.namespace, pod.node].map(snapshot));
  const binding = await bindingOf(t, pod);
  const directory = t.testdir({ file: "", link: t.fixture("symlink", "nowhere") });
  const cases: [netns: string, msg: RegExp][] = [
    ["/run/netns/nowhere", /CNI_NETNS: .*\/nowhere is missing/],
    [`${directory}/link`, /CNI_NETNS: .*\/link is missing/],
    [`${directory}/file/below`, /CNI_NETNS: .*\/below is missing/],
    [`${directory}/file`, /CNI_NETNS: .*\/file is a regular file/],
    [directory, /CNI_NETNS: .* is a directory/],
    ["/dev/null", /CNI_NETNS: .* is a character device/],
    ["/proc/self/ns/mnt", /CNI_NETNS: .*another kind of namespace/],
    ["/proc/self/ns/net", /CNI_NETNS: .*that the plugin itself runs in/],
    [pod.node.path, /CNI_NETNS: .*that the plugin itself runs in/],
  ];
  for (const [netns, msg] of cases) {
    for (const verb of ["ADD", "CHECK"]) {
      const answer = await binding.run(verb, { prevResult: {} }, { netns });
      t.match(answer, { status: 1, error: { code: 8, msg } }, `${verb} ${netns}`);
    }
    t.match(await binding.run("DEL", {}, { netns }), { status: 0, stdout: "" }, `DEL ${netns}`);
  }
  const after = [pod.namespace, pod.node].map((one, position) => settledDifferences(one, before[position]!));
  t.same((await Promise.all(after)).flat(), []);
  t.same(await binding.journal(), []);
});

t.test("CNI_NETNS_OVERRIDE lets the plugin's own namespace pass", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge" });
  const before = await snapshot(pod.namespace);
  const binding = await bindingOf(t, pod, { call: { node: pod.namespace } });
  t.match(await binding.run("ADD"), { status: 1, error: { code: 8 } });
  for (const CNI_NETNS_OVERRIDE of ["1", "true"]) {
    const env = { CNI_NETNS_OVERRIDE };
    t.match(await binding.run("ADD", {}, { env }), { status: 0 });
    t.match(await binding.run("DEL", {}, { env }), { status: 0 });
  }
  t.same(await settledDifferences(pod.namespace, before), []);
});
