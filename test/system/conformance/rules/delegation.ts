// Delegation to an IPAM plugin: the plugin finds it in CNI_PATH and passes its own input on. If the
// own ADD fails, it undoes the ADD of the IPAM plugin.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { blockedDataDir } from "../../../harness/attachment.ts";
import { type IpamPlugin, ipamPlugin, leased, leaseKeeper } from "../lease-keeper.ts";
import type { Rule } from "../rule.ts";
import { filesBelow, type Subject } from "../subject.ts";
import type { Changes } from "../trial.ts";

const callOf = ({ ipam, path }: IpamPlugin): Changes => ({ netconf: { ipam }, call: { path } });

/** A script's lines that log the verb, and exit if it is not ADD. */
const logging = (directory: string) => [`echo $CNI_COMMAND >>${directory}/log`, '[ "$CNI_COMMAND" = ADD ] || exit 0'];
const logOf = (directory: string): string =>
  existsSync(`${directory}/log`) ? readFileSync(`${directory}/log`, "utf8") : "";

const failing = 'printf \'{"cniVersion":"1.1.0","code":123,"msg":"%s failed","details":"why"}\' $CNI_COMMAND; exit 1';

/** ADDs of an IPAM plugin that return no valid result. If the plugin ran, its DEL must follow. */
const useless: readonly (readonly [what: string, lines: readonly string[], says: RegExp])[] = [
  ["nonsense", ["echo hello"], /gave no result that can be read/],
  ["nothing", [], /gave no result that can be read/],
  ["a list", ["echo '[]'"], /gave no result that can be read/],
  ["a status without an error", ["exit 3"], /status 3/],
  ["its own death", ["kill -9 $$"], /signal 9/],
  ["a megabyte and more", ["head -c 2000000 /dev/zero"], /more than 1 MiB/],
  ["no UTF-8", ['printf \'{"a":"\\377"}\''], /not UTF-8/],
];

const delegates = ({ ipam }: Subject): boolean => ipam !== "refused";

export const delegation: readonly Rule[] = [
  {
    name: "S4: a delegate gets the whole environment and the unchanged configuration, and its stderr is passed on",
    of: delegates,
    check: async ({ t, ground, run }) => {
      const directory = t.testdir({});
      const { ipam, path } = ipamPlugin(
        directory,
        "seeing",
        `printf '%s' "$conf" >${directory}/conf; env >${directory}/env; echo log >&2`,
      );
      const stdin = `${JSON.stringify({ ...ground.netconf, ipam }, null, "\t").replace("{", '{ "dns" : { "rate":1.50, "a":"\\u0061" } ,')}`;
      const { status, stderr } = await run("DEL", { stdin, call: { path, args: "A=1", env: { HOME: "/nowhere" } } });
      t.match({ status, stderr }, { status: 0, stderr: "log\n" });
      t.equal(readFileSync(`${directory}/conf`, "utf8"), stdin);
      const variables = readFileSync(`${directory}/env`, "utf8").split("\n");
      const { containerId, ifname, netns } = ground.call;
      for (const variable of [
        `CNI_CONTAINERID=${containerId}`,
        `CNI_IFNAME=${ifname}`,
        `CNI_NETNS=${netns}`,
        "CNI_ARGS=A=1",
        "HOME=/nowhere",
        `CNI_PATH=${path}`,
        "CNI_COMMAND=DEL",
      ])
        t.ok(variables.includes(variable), variable);
    },
  },
  {
    name: "S4: DEL, CHECK, GC and STATUS call the delegate and return its error",
    of: delegates,
    check: async ({ t, run, subject }) => {
      const directory = t.testdir({});
      const refusing = callOf(ipamPlugin(directory, "refusing", `echo $CNI_COMMAND >>${directory}/log`, failing));
      // What the plugin has to say of itself comes first, and it has something where there is
      // nothing to attach to.
      const verbs = subject.attaches && !subject.records ? ["DEL", "CHECK", "GC", "STATUS"] : ["DEL", "GC"];
      for (const verb of verbs) {
        const changes = { ...refusing, netconf: { ...refusing.netconf, prevResult: { cniVersion: "1.1.0" } } };
        const { status, error } = await run(verb, changes);
        t.match({ status, error }, { status: 1, error: { code: 123, msg: `${verb} failed`, details: "why" } }, verb);
      }
      t.equal(logOf(directory), verbs.map((verb) => `${verb}\n`).join(""));
    },
  },
  {
    name: "S4: a delegate is searched in CNI_PATH, in order, and in no other directory",
    of: delegates,
    check: async ({ t, run, refused, succeeds }) => {
      const directory = t.testdir({});
      const [one, two] = ["one", "two"].map((name) =>
        ipamPlugin(`${directory}/${name}`, "which", `echo ${name} >&2`),
      ) as [IpamPlugin, IpamPlugin];
      const { ipam } = one;
      for (const path of [`${one.path}:${two.path}`, `/nowhere:${one.path}`, `::${one.path}`]) {
        const { stderr } = await succeeds("DEL", { netconf: { ipam }, call: { path } });
        t.equal(stderr, "one\n", path);
      }
      await refused(
        "DEL",
        { netconf: { ipam }, call: { path: `${directory}:/nowhere` } },
        { code: 103, says: /which.*CNI_PATH/ },
      );
      await refused("DEL", { netconf: { ipam }, unset: ["CNI_PATH"] }, { code: 4, says: /\[CNI_PATH\]/ });
      for (const type of ["../one/which", "/bin/true", ".", "..", "a/b"]) {
        const { status, error } = await run("ADD", { netconf: { ipam: { type } }, call: { path: two.path } });
        t.match({ status, error }, { status: 1, error: { code: 7, msg: /ipam\.type/ } }, type);
      }
    },
  },
  {
    name: "S4: the result has the delegate's addresses, on an interface of the result if there is one",
    of: delegates,
    attaches: true,
    check: async ({ t, attached }) => {
      const keeper = leaseKeeper(t.testdir({}));
      await attached(callOf(keeper), ({ result }) => {
        t.same(
          result!.ips!.map(({ address, gateway }) => (gateway ? { address, gateway } : { address })),
          leased.ips,
        );
        t.same(result!.routes, leased.routes);
        for (const { interface: position } of result!.ips!)
          t.ok(position === undefined || result!.interfaces![position]);
      });
    },
  },
  {
    name: "S4: DEL releases the address, and succeeds if it is repeated, also if the namespace no longer exists",
    of: delegates,
    attaches: true,
    check: async ({ t, succeeds }) => {
      const directory = t.testdir({});
      const changes = callOf(leaseKeeper(directory));
      for (const netns of [undefined, "", "/run/netns/gone", "/etc/hostname"]) {
        await succeeds("ADD", changes);
        t.equal(filesBelow(`${directory}/leases`).length, 1);
        for (const time of ["first", "second"]) {
          const call = { ...changes.call, ...(netns !== undefined && { netns }) };
          await succeeds("DEL", { ...changes, call }, `${time} DEL, ${netns}`);
          t.same(filesBelow(`${directory}/leases`), []);
        }
      }
    },
  },
  {
    name: "S4: if the ADD of an IPAM plugin fails, its DEL is called and its error is returned",
    of: delegates,
    attaches: true,
    check: async ({ t, refused, isAsBefore, ground }) => {
      const before = await ground.state();
      const directory = t.testdir({});
      const plugin = ipamPlugin(directory, "failing", ...logging(directory), failing);
      await refused("ADD", callOf(plugin), { code: 123, says: /^ADD failed; why$/ });
      t.equal(logOf(directory), "ADD\nDEL\n");
      await isAsBefore(before);
    },
  },
  {
    name: "S4: if an IPAM plugin returns no valid result, its DEL is called and the fault is reported",
    of: delegates,
    attaches: true,
    check: async ({ t, refused, isAsBefore, ground }) => {
      const before = await ground.state();
      const directory = t.testdir({});
      for (const [what, lines, says] of useless) {
        writeFileSync(`${directory}/log`, "");
        await refused("ADD", callOf(ipamPlugin(directory, "useless", ...logging(directory), ...lines)), {
          code: 103,
          says,
          what,
        });
        t.equal(logOf(directory), "ADD\nDEL\n", what);
      }
      await isAsBefore(before);
    },
  },
  {
    name: "S4: an IPAM plugin that cannot be executed is reported",
    of: delegates,
    attaches: true,
    check: async ({ t, refused }) => {
      const directory = t.testdir({});
      const plugin = ipamPlugin(directory, "broken");
      for (const [script, says] of [
        ["#!/nowhere\n", /interpreter/],
        ["\u007fELF and nothing more", /not an executable of this machine/],
      ] as const) {
        writeFileSync(`${directory}/broken`, script);
        await refused("ADD", callOf(plugin), { code: 103, says });
      }
    },
  },
  {
    name: "S4: if ADD fails after the delegate's ADD has succeeded, the address is released",
    of: (subject) => delegates(subject) && subject.records,
    attaches: true,
    check: async ({ t, subject, run, ground, isAsBefore }) => {
      const before = await ground.state();
      const directory = t.testdir({ file: "" });
      const { netconf, call } = callOf(leaseKeeper(directory));
      const dataDir = await blockedDataDir(t, subject.name);
      const answer = await run("ADD", { netconf: { ...netconf, dataDir }, call: call! });
      t.match(answer, { status: 1, error: { code: 5 } });
      t.notOk(existsSync(`${directory}/leases/${ground.call.containerId}:${ground.call.ifname}`));
      await isAsBefore(before);
    },
  },
];
