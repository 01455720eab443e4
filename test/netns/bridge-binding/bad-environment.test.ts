import t from "tap";
import { callPlugin } from "../../harness/plugin.ts";
import { createPod } from "../../harness/pod.ts";
import { deep, type Refusal, refusals } from "../../harness/refusals.ts";
import { settledDifferences, snapshot } from "../../harness/snapshot.ts";
import { bindingOf } from "./binding.ts";

/** What this plugin takes from CNI_ARGS. */
const own: readonly Refusal[] = [
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
];

t.test("refused, with the pod as it was and nothing recorded:", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge", families: "dual" });
  const before = await snapshot(pod.namespace);
  const binding = await bindingOf(t, pod);
  for (const { what, call = {}, stdin = JSON.stringify, verb = "ADD", code, msg, details } of [...refusals, ...own]) {
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
