// DEL: succeeds if it is repeated, whatever happened to the pod and the configuration. If it fails,
// the runtime must call it again, so its message avoids phrases that containerd takes for success.
import { readFileSync, writeFileSync } from "node:fs";
import { execa } from "execa";
import { signalledDuring, watch } from "../../../harness/faults.ts";
import { removeNamespaces } from "../../../harness/namespaces.ts";
import { differences, snapshot } from "../../../harness/snapshot.ts";
import { emulated } from "../emulation.ts";
import { ipamPlugin } from "../lease-keeper.ts";
import type { Rule } from "../rule.ts";
import { filesBelow } from "../subject.ts";
import type { Changes } from "../trial.ts";

/** How the call may differ from that of ADD. */
const later: Readonly<Record<string, Changes>> = {
  "without prevResult": { netconf: { prevResult: undefined } },
  "with a prevResult that is none": { netconf: { prevResult: "none" } },
  "with a prevResult of a version that there is not": { netconf: { prevResult: { cniVersion: "9.9.9" } } },
  "with another prevResult": { netconf: { prevResult: { cniVersion: "1.1.0", interfaces: [{ name: "eth9" }] } } },
  "of an older version": { netconf: { cniVersion: "0.1.0" } },
  "without a version": { netconf: { cniVersion: undefined } },
  "with fields that nobody knows": { netconf: { zzzzzzzz: 1, Mtu: 1 } },
  "with fields that are invalid": { netconf: { args: 7, runtimeConfig: "x", capabilities: [], mac: 7, mtu: "x" } },
  "with CNI_ARGS that are none": { call: { args: "no pairs" } },
  "with an empty CNI_NETNS": { call: { netns: "" } },
  "without CNI_NETNS": { unset: ["CNI_NETNS"] },
  "with a path that is nothing": { call: { netns: "/run/netns/nowhere" } },
};

export const del: readonly Rule[] = [
  {
    name: "S2: DEL succeeds without an ADD, and changes nothing",
    check: async ({ ground, succeeds, isSilent, isAsBefore }) => {
      const before = await ground.state();
      for (let time = 0; time < 2; time++) {
        isSilent(await succeeds("DEL"));
      }
      await isAsBefore(before);
    },
  },
  {
    name: "S2: repeated DELs succeed, and so does an ADD after them",
    attaches: true,
    check: async ({ ground, succeeds, isAsBefore }) => {
      const before = await ground.state();
      for (let time = 0; time < 2; time++) {
        await succeeds("ADD");
        for (const which of ["first", "second", "third"]) await succeeds("DEL", {}, `${which} DEL`);
        await isAsBefore(before);
      }
    },
  },
  {
    name: "S2: DEL restores everything, however the configuration and the environment have changed",
    attaches: true,
    check: async ({ ground, succeeds, isAsBefore }) => {
      const before = await ground.state();
      for (const [what, changes] of Object.entries(later)) {
        await succeeds("ADD");
        await succeeds("DEL", changes, `DEL ${what}`);
        await isAsBefore(before, what);
      }
    },
  },
  {
    name: "S2: DEL succeeds if the namespace no longer exists, and leaves nothing on node or devices",
    attaches: true,
    check: async ({ t, another, run, succeeds }) => {
      for (const netns of [undefined, ""]) {
        const pod = await another();
        t.match(await run("ADD", {}, pod), { status: 0 });
        await removeNamespaces([pod.namespace]);
        for (const time of ["first", "second"])
          await succeeds("DEL", netns === undefined ? {} : { call: { netns } }, `${time} DEL: ${netns}`, pod);
        const left = filesBelow(pod.directory).filter((path) => path.includes(pod.call.containerId!));
        t.same(left, [], "nothing is recorded of it any more");
      }
    },
  },
  {
    name: "S2: DEL by another path to the same namespace restores everything",
    attaches: true,
    check: async ({ t, ground, succeeds, isAsBefore }) => {
      const before = await ground.state();
      const directory = t.testdir({ link: t.fixture("symlink", ground.namespace.path) });
      await succeeds("ADD");
      await succeeds("DEL", { call: { netns: `${directory}/link` } });
      await isAsBefore(before);
    },
  },
  {
    name: "S2: DEL does not touch another namespace that has the pod's path now",
    attaches: true,
    check: async ({ t, another, run, succeeds }) => {
      const pod = await another();
      t.match(await run("ADD", {}, pod), { status: 0 });
      await removeNamespaces([pod.namespace]);
      const { name } = pod.namespace;
      await execa("ip", ["netns", "add", name]);
      t.teardown(() => execa("ip", ["netns", "del", name]));
      const successor = await snapshot(pod.namespace);
      await succeeds("DEL", {}, "DEL", pod);
      t.same(differences(successor, await snapshot(pod.namespace)), []);
    },
  },
  {
    name: "ours: a DEL that cannot read its record reports it, changes nothing, and succeeds once it can",
    attaches: true,
    of: ({ records }) => records,
    check: async ({ t, ground, refused, succeeds, steady, isAsBefore }) => {
      for (const broken of ["", "{", "[]", '{"format":99}', '{"format":1}']) {
        const earlier = new Set(filesBelow(ground.directory));
        await succeeds("ADD");
        const files = filesBelow(ground.netconf["dataDir"] as string).filter((path) => !earlier.has(path));
        t.not(files.length, 0);
        const contents = files.map((path) => readFileSync(path, "utf8"));
        for (const path of files) writeFileSync(path, broken);
        const between = await steady();
        await refused("DEL", {}, { code: 102, what: JSON.stringify(broken) });
        await isAsBefore(between);
        for (const [position, path] of files.entries()) writeFileSync(path, contents[position]!);
        await succeeds("DEL");
      }
    },
  },
  {
    name: "go-cni: the message of a failed DEL never holds a phrase that containerd takes for success, not even in a quotation",
    check: async ({ ground, fails }) => {
      // What run judges of every DEL; here the words come from outside.
      const words = "Link not found: no such file or directory";
      const calls: readonly Changes[] = [
        { call: { containerId: words } },
        { call: { ifname: "x/not found" } },
        { netconf: { name: words } },
        { netconf: { cniVersion: words } },
        { stdin: `"${words}"` },
        { stdin: `${JSON.stringify(ground.netconf)} ${words}` },
      ];
      for (const changes of calls) await fails("DEL", changes, JSON.stringify(changes));
    },
  },
  {
    name: "S4: DEL continues after SIGTERM, SIGINT or SIGHUP at each of its changes",
    attaches: true,
    of: ({ records }) => records,
    check: async ({ t, ground, run, succeeds, isAsBefore }) => {
      const before = await ground.state();
      await succeeds("ADD");
      const { under, mutations } = await watch(t);
      await succeeds("DEL", { call: { under } });
      const points = await mutations();
      t.not(points.length, 0, "it changes something");
      const some = emulated ? points.slice(0, 2) : points;
      for (const [position, point] of some.entries()) {
        const signal = ["SIGTERM", "SIGINT", "SIGHUP"][position % 3]!;
        t.match(await run("ADD"), { status: 0 });
        await succeeds(
          "DEL",
          { call: { under: signalledDuring(point, signal), timeout: 60_000 } },
          `${signal}: ${point.text.slice(0, 100)}`,
        );
        await isAsBefore(before, `${signal}: ${point.text.slice(0, 100)}`);
      }
    },
  },
  {
    name: "S4: DEL continues after SIGTERM, SIGINT or SIGHUP while an IPAM plugin releases its address",
    of: ({ ipam }) => ipam !== "refused",
    check: async ({ t, succeeds }) => {
      const directory = t.testdir({});
      // What the script's parent is, is the plugin that runs it.
      const signals = ["TERM", "INT", "HUP"].map((signal) => `kill -${signal} $PPID`);
      const { ipam, path } = ipamPlugin(directory, "slow", ...signals, "sleep 0.1", `echo done >${directory}/released`);
      await succeeds("DEL", { netconf: { ipam }, call: { path } });
      t.same(
        filesBelow(directory)
          .map((file) => file.split("/").at(-1))
          .sort(),
        ["released", "slow"],
      );
    },
  },
];
