// Hostile or corrupted input: the plugin accepts or refuses it, and never does more than the input
// may request.
import { statSync, writeFileSync } from "node:fs";
import { sorted } from "../../../harness/previous-result.ts";
import type { Rule } from "../rule.ts";
import { filesBelow } from "../subject.ts";
import type { Changes } from "../trial.ts";

/**
 * A configuration's text with more text at its beginning. This allows duplicate keys, and text that
 * JSON.stringify never writes.
 */
const prefixed = (netconf: object, text: string): string => JSON.stringify(netconf).replace("{", `{${text},`);
const suffixed = (netconf: object, text: string): string => JSON.stringify(netconf).replace(/\}$/, `,${text}}`);
const nested = (levels: number, open = '{"a":', close = "}"): string =>
  `${open.repeat(levels)}1${close.repeat(levels)}`;

const mebibyte = 1 << 20;

/** Invalid UTF-8, as printf escapes. */
const notUtf8 = [
  "\\377",
  "\\300\\257",
  "\\355\\240\\200",
  "\\364\\220\\200\\200",
  "\\342\\202",
  "\\200",
  "\\360\\200\\200\\257",
];

/** Calls the plugin with a variable that holds these bytes. */
const withBytes = (name: string, bytes: string): Changes => ({
  call: { under: ["sh", "-c", `export ${name}="$(printf 'a${bytes}')"; exec "$@"`, "sh"] },
  isText: false,
});

const numbers = [
  "1e400",
  "-1e400",
  "1e-400",
  "-0",
  "9007199254740993",
  "-9007199254740993",
  "0.1e1",
  "1E+2",
  "9".repeat(10_000),
];

export const hostile: readonly Rule[] = [
  {
    name: "ours: JSON of 1000 levels in a field that the plugin does not read is accepted",
    attaches: true,
    check: async ({ t, ground, attached }) => {
      const { args: _, ...netconf } = ground.netconf;
      await attached({ stdin: prefixed(netconf, `"args":${nested(1000)}`) }, () => t.pass());
      const lists = `"args":{"a":${nested(1000, "[", "]")}}`;
      await attached({ stdin: prefixed(netconf, lists) }, () => t.pass());
    },
  },
  {
    name: "S1: JSON that is deeper than the stack fails with code 6, for every verb",
    check: async ({ ground, refused }) => {
      const places: readonly (readonly [verb: string, key: string, open: string, close: string])[] = [
        ["ADD", "args", '{"a":', "}"],
        ["ADD", "prevResult", '{"a":', "}"],
        ["ADD", "name", "[", "]"],
        ["DEL", "prevResult", "[", "]"],
        ["CHECK", "prevResult", "[", "]"],
        ["GC", "cni.dev/valid-attachments", "[", "]"],
        ["STATUS", "args", "[", "]"],
      ];
      for (const [verb, key, open, close] of places) {
        const stdin = prefixed(ground.netconf, `"${key}":${nested(150_000, open, close)}`);
        // The limit of keys is lower than the stack's.
        const says = open === "[" ? /deep|large/ : /more than 16384 keys/;
        await refused(verb, { stdin }, { code: 6, says, what: `${verb} ${key}` });
      }
      await refused("ADD", { stdin: "[".repeat(mebibyte) }, { code: 6 });
      await refused("ADD", { stdin: '{"a":'.repeat(200_000) }, { code: 6 });
    },
  },
  {
    name: "ours: a configuration of 1 MiB is accepted, one byte more fails with code 6",
    check: async ({ ground, refused, succeeds }) => {
      const text = JSON.stringify(ground.netconf);
      const padded = (length: number) => text + " ".repeat(length - text.length);
      await succeeds("DEL", { stdin: padded(mebibyte) });
      for (const verb of ["ADD", "DEL", "GC"])
        await refused(verb, { stdin: padded(mebibyte + 1) }, { code: 6, says: /longer than 1 MiB/ });
      await refused("DEL", { stdin: padded(5 * mebibyte) }, { code: 6, says: /longer than 1 MiB/ });
      const string = "a".repeat(mebibyte - text.length - 20);
      await succeeds("DEL", { stdin: prefixed(ground.netconf, `"dns":{"a":"${string}"}`) });
    },
  },
  {
    name: "skel: if a key appears more than once, the last one counts, as in Go",
    check: async ({ ground, refused, succeeds }) => {
      await succeeds("DEL", { stdin: prefixed(ground.netconf, '"name":"a/b","cniVersion":"9.9.9"') });
      await refused("DEL", { stdin: suffixed(ground.netconf, '"name":"a/b"') }, { code: 7 });
      await refused("DEL", { stdin: suffixed(ground.netconf, '"cniVersion":"9.9.9"') }, { code: 1 });
    },
  },
  {
    name: "ours: names of Object.prototype's properties are ordinary keys, and prevResult keeps them",
    attaches: true,
    check: async ({ t, ground, chained, attached }) => {
      const words =
        '"__proto__":{"name":"x","kept":1},"constructor":{"prototype":{"a":1}},"toString":2,"hasOwnProperty":1';
      const { args: _, ...netconf } = ground.netconf;
      await attached({ stdin: prefixed(netconf, `"args":{${words}},"capabilities":{${words}},"dns":{${words}}`) }, () =>
        t.pass(),
      );
      const { call, netconf: fields } = chained("1.0.0", { cniVersion: "1.0.0" });
      const previous = `{"cniVersion":"1.0.0",${words}}`;
      const stdin = JSON.stringify({ ...netconf, ...fields, prevResult: "HERE" }).replace('"HERE"', previous);
      await attached({ stdin, call: call! }, ({ result }) => {
        const { interfaces, ips, routes, ...found } = result!;
        // Compared as text: a deep comparison would take these keys for the prototype's.
        t.equal(JSON.stringify(sorted(found)), JSON.stringify(sorted(JSON.parse(previous))));
      });
    },
  },
  {
    name: "ours: NUL and half of a surrogate pair in a string never appear in a file's name or as bytes of the output",
    check: async ({ refused, subject, succeeds }) => {
      for (const text of ["a\u0000", "\u0000", "\ud800", "a\udfff"]) {
        await refused("ADD", { netconf: { name: text } }, { code: 7, what: JSON.stringify(text) });
        if (subject.records)
          for (const verb of ["ADD", "STATUS"])
            await refused(
              verb,
              { netconf: { dataDir: `relative${text}` } },
              { code: 7, says: /^dataDir: /, what: `dataDir ${JSON.stringify(text)}` },
            );
        await refused("ADD", { netconf: { [text]: text } }, { code: 7 });
        await succeeds("DEL", { netconf: { args: { [text]: text } } });
      }
      if (subject.records)
        await refused("ADD", { netconf: { dataDir: "/run/a\u0000b" } }, { code: 7, says: /^dataDir: / });
    },
  },
  {
    name: "S1: standard input that is not UTF-8 fails with code 6",
    check: async ({ t, ground, refused }) => {
      const directory = t.testdir({});
      for (const bytes of notUtf8) {
        const text = prefixed(ground.netconf, '"dns":{"a":"HERE"}');
        writeFileSync(`${directory}/before`, text.slice(0, text.indexOf("HERE")));
        writeFileSync(`${directory}/after`, text.slice(text.indexOf("HERE") + 4));
        const under = ["sh", "-c", `{ cat $0/before; printf '${bytes}'; cat $0/after; } | "$@"`, directory];
        for (const verb of ["ADD", "DEL"])
          await refused(
            verb,
            { call: { under } },
            { code: 6, says: /^netconf: is not UTF-8/, what: `${verb} ${bytes}` },
          );
      }
    },
  },
  {
    name: "S2: a variable that is not UTF-8 is refused if the verb needs it, and ignored otherwise",
    check: async ({ t, refused, succeeds, run }) => {
      for (const bytes of notUtf8.slice(0, 3)) {
        for (const verb of ["ADD", "DEL"])
          await refused(verb, withBytes("CNI_CONTAINERID", bytes), { code: 4, what: `${verb} CNI_CONTAINERID` });
        await refused("ADD", withBytes("CNI_COMMAND", bytes), { code: 4, what: "CNI_COMMAND" });
        await refused("ADD", withBytes("CNI_NETNS", bytes), { code: 8, what: "CNI_NETNS" });
        await succeeds("DEL", withBytes("CNI_NETNS", bytes), "CNI_NETNS");
        for (const name of ["FOO", "LANG", "CNI_FOO"]) await succeeds("DEL", withBytes(name, bytes), name);
        t.equal((await run("VERSION", withBytes("FOO", bytes))).status, 0, "VERSION");
        // Accepted or refused, with a well-formed answer. A link's name may have any bytes.
        for (const name of ["CNI_IFNAME", "CNI_ARGS", "CNI_PATH"]) await run("DEL", withBytes(name, bytes));
      }
    },
  },
  {
    name: "ours: numbers at the limits of their type are accepted or refused as any other",
    check: async ({ ground, succeeds, run, refused }) => {
      for (const number of numbers) {
        const what = number.slice(0, 30);
        await succeeds(
          "DEL",
          { stdin: prefixed(ground.netconf, `"dns":{"a":${number}},"mtu":${number},"vlan":${number}`) },
          what,
        );
        await refused("ADD", { stdin: suffixed(ground.netconf, `"zzzzzzzz":${number}`) }, { code: 7, what });
        await run("CHECK", {
          stdin: prefixed(
            ground.netconf,
            `"prevResult":{"a":${number},"ips":[{"address":"10.0.0.1/8","interface":${number}}]}`,
          ),
        });
      }
    },
  },
  {
    name: "ours: strings of 100 KB are accepted or refused as any other",
    check: async ({ t, refused, run, subject, succeeds }) => {
      const long = "a".repeat(100_000);
      for (const verb of ["ADD", "DEL"]) {
        await refused(verb, { call: { ifname: long } }, { code: 4, what: `${verb}: CNI_IFNAME` });
        const { status } = await run(verb, { call: { args: `A=${long}`, path: `/${long}`, ifname: "/" } });
        t.equal(status, 1);
        await refused(verb, { netconf: { name: `/${long}` } }, { code: 7, what: `${verb}: name` });
        await refused(verb, { netconf: { cniVersion: long } }, { code: 1, what: `${verb}: cniVersion` });
      }
      await refused("ADD", { call: { netns: `/${long}` } }, { code: 8, what: "CNI_NETNS" });
      await refused("ADD", { netconf: { [long]: 1 } }, { code: 7, what: "a key" });
      if (subject.records)
        await refused("ADD", { netconf: { dataDir: `/${long}` } }, { code: 7, says: /^dataDir/, what: "dataDir" });
      // Longer than a file's name may be.
      if (subject.records && subject.attaches)
        for (const verb of ["ADD", "DEL"])
          await succeeds(verb, { call: { containerId: "a".repeat(300) } }, `${verb}: CNI_CONTAINERID`);
      await run("DEL", { call: { containerId: long } });
    },
  },
  {
    name: "S2: DEL with a CNI_NETNS that cannot be a path succeeds",
    check: async ({ succeeds }) => {
      await succeeds("DEL", { call: { netns: `/${"a".repeat(300)}` } }, "a name of 300 bytes");
      await succeeds("DEL", { call: { netns: `/${"a/".repeat(3000)}` } }, "a path of 6000 bytes");
    },
  },
  {
    name: "ours: no container ID or interface name writes a file outside of dataDir, and all files belong to root alone",
    attaches: true,
    of: ({ records }) => records,
    check: async ({ t, ground, attached, refused }) => {
      const dataDir = ground.netconf["dataDir"] as string;
      const names = [
        { containerId: "a..", ifname: "..." },
        { containerId: "0.json", ifname: "..json" },
        { containerId: "a", ifname: "~" },
        { containerId: "b", ifname: "%2e%2e%2f" },
        { containerId: "c", ifname: "a\\b" },
        { containerId: "d", ifname: "$(id)" },
      ];
      const earlier = filesBelow(ground.directory);
      // The runtime chooses the path of the device information file.
      const isNew = (path: string) => !earlier.includes(path) && !path.includes("/devinfo/");
      const look = (what: string) => () => {
        const made = filesBelow(ground.directory).filter(isNew);
        t.not(made.length, 0, `${what}: is recorded`);
        for (const path of made) t.ok(path.startsWith(`${dataDir}/`), `${what}: ${path}`);
        for (const path of [dataDir, ...made]) t.equal(statSync(path).mode & 0o077, 0, `${what}: ${path}`);
      };
      for (const call of names) await attached({ call }, look(JSON.stringify(call)), JSON.stringify(call));
      for (const up of ["..", "../x", "../../../etc/cron.d/x", "a/../../x"])
        await refused("ADD", { call: { containerId: up } }, { code: 4 });
      for (const wrong of ["run/x", "../x", `${dataDir}/../x`, ".", "", "/etc/cni/net.d", "/tmp/x"])
        await refused(
          "ADD",
          { netconf: { dataDir: wrong } },
          { code: 7, says: /^dataDir: must be \/run\/[a-z-]+ or a directory below it/, what: wrong },
        );
    },
  },
  {
    name: "S2: a DEL with a similar container ID or interface name does not touch the attachment",
    attaches: true,
    check: async ({ ground, attached, succeeds, steady, isAsBefore }) => {
      const { containerId, ifname } = ground.call as { containerId: string; ifname: string };
      await attached({}, async () => {
        const between = await steady();
        for (const call of [
          { containerId: containerId.slice(0, -1) },
          { containerId: `${containerId}0` },
          { containerId: containerId.toUpperCase() },
          { ifname: "net" },
          { ifname: `${ifname}0` },
          { ifname: ifname.toUpperCase() },
        ])
          await succeeds("DEL", { call }, JSON.stringify(call));
        await isAsBefore(between);
      });
    },
  },
];
