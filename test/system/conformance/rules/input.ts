// Standard input: the configuration, and the errors if it is invalid.
import type { Rule } from "../rule.ts";
import type { Trial } from "../trial.ts";

/** Each is built from a valid configuration. */
const undecodable: Readonly<Record<string, (netconf: string) => string>> = {
  nothing: () => "",
  "white space": () => " \n\t\r",
  "half an object": (netconf) => netconf.slice(0, -1),
  "a trailing byte": (netconf) => `${netconf} x`,
  "a trailing bracket": (netconf) => `${netconf}}`,
  "two objects": (netconf) => netconf.repeat(2),
  "two lines of JSON": (netconf) => `${netconf}\n${netconf}\n`,
  "a list": (netconf) => `[${netconf}]`,
  null: () => "null",
  text: () => '"text"',
  "a number": () => "7",
  "a comment": (netconf) => `${netconf} // c`,
  "a comma at the end": (netconf) => netconf.replace(/\}$/, ",}"),
  "single quotes": (netconf) => netconf.replaceAll('"', "'"),
  "keys without quotes": (netconf) => netconf.replace('"name"', "name"),
  "a byte order mark": (netconf) => `\ufeff${netconf}`,
  "a NUL at the end": (netconf) => `${netconf}\0`,
  "a NUL in a string": (netconf) => netconf.replace('"name":"', '"name":"\0'),
  "a line's end in a string": (netconf) => netconf.replace('"name":"', '"name":"\n'),
  "white space of Unicode": (netconf) => netconf.replace("{", "{\u00a0"),
  NaN: (netconf) => netconf.replace("{", '{"disableCheck":NaN,'),
  "a hexadecimal number": (netconf) => netconf.replace("{", '{"disableCheck":0x1,'),
  "a leading zero": (netconf) => netconf.replace("{", '{"disableCheck":01,'),
  "a leading plus": (netconf) => netconf.replace("{", '{"disableCheck":+1,'),
  "an unknown escape": (netconf) => netconf.replace('"name":"', '"name":"\\x41'),
};

const verbs = ["ADD", "DEL", "CHECK", "GC", "STATUS"];

const names = {
  bad: ["a/b", "../a", "-a", ".a", "_a", "a b", "a\n", "ä", "a:b", " a", "a\u0000"],
  notText: [7, true, [], {}, ["a"]],
};

async function misspelled({ refused }: Trial): Promise<void> {
  for (const [wrong, right] of Object.entries({
    CNIVersion: "cniVersion",
    Name: "name",
    TYPE: "type",
    PrevResult: "prevResult",
    RuntimeConfig: "runtimeConfig",
    runtimeconfig: "runtimeConfig",
    Args: "args",
    Capabilities: "capabilities",
    IPAM: "ipam",
    Dns: "dns",
  }))
    await refused(
      "ADD",
      { netconf: { [wrong]: {} } },
      { code: 7, says: new RegExp(`"${wrong}".*"${right}"`), what: wrong },
    );
}

export const input: readonly Rule[] = [
  {
    name: "S1: standard input that is not exactly one JSON object fails with code 6, for every verb that reads it",
    check: async ({ ground, refused }) => {
      for (const [what, made] of Object.entries(undecodable)) {
        const stdin = made(JSON.stringify(ground.netconf));
        await refused("ADD", { stdin }, { code: 6, says: /^netconf: /, what: `ADD: ${what}` });
      }
      for (const verb of verbs)
        for (const what of ["nothing", "half an object", "two objects", "a list"])
          await refused(
            verb,
            { stdin: undecodable[what]!(JSON.stringify(ground.netconf)) },
            { code: 6, what: `${verb}: ${what}` },
          );
    },
  },
  {
    name: "ours: an error in JSON is reported with its position",
    check: async ({ ground, refused }) => {
      const stdin = `${JSON.stringify(ground.netconf, null, 2).replace(/\n\}$/, "")},\n  "mtu" 7\n}`;
      const line = stdin.split("\n").length - 1;
      await refused("ADD", { stdin }, { code: 6, says: new RegExp(`line ${line}, column 9: `) });
    },
  },
  {
    name: "S2: VERSION does not read standard input",
    check: async ({ t, run }) => {
      const fifo = `${t.testdir({})}/fifo`;
      // A FIFO that is open for reading and writing never ends.
      const script = 'mkfifo "$0" && exec "$@" <>"$0"';
      t.match(await run("VERSION", { call: { under: ["sh", "-c", script, fifo] } }), { status: 0 }, "kept open");
      for (const stdin of ["", "{", "[]", "\0"]) t.match(await run("VERSION", { stdin }), { status: 0 }, stdin);
    },
  },
  {
    name: "skel: standard input is read to its end, even if it arrives slowly",
    check: async ({ succeeds, refused }) => {
      const slowly = { under: ["sh", "-c", '{ head -c 9; sleep 0.1; head -c 9; sleep 0.1; cat; } | "$@"', "sh"] };
      await succeeds("DEL", { call: slowly });
      const lines = { under: ["sh", "-c", '{ cat; echo; sleep 0.1; echo "}"; } | "$@"', "sh"] };
      await refused("DEL", { call: lines }, { code: 6 });
    },
  },
  {
    name: "ours: standard input that cannot be read is reported",
    check: async ({ t, run }) => {
      for (const from of ["<&-", "</", "</dev/null"]) {
        for (const verb of ["ADD", "DEL"]) {
          const { error } = await run(verb, { call: { under: ["sh", "-c", `exec "$@" ${from}`, "sh"] } });
          t.ok(error?.code === 5 || error?.code === 6, `${verb} ${from}: ${error?.msg}`);
        }
      }
    },
  },
  {
    name: "S1: a configuration without a name, or with an empty one, fails with code 7, for every verb that reads it",
    check: async ({ refused }) => {
      for (const verb of verbs) {
        for (const name of [undefined, "", null])
          await refused(
            verb,
            { netconf: { name } },
            { code: 7, says: /missing network name/, what: `${verb}: ${name}` },
          );
        // Without a version, the version is 0.1.0, which does not have these verbs.
        if (verb === "ADD" || verb === "DEL")
          await refused(verb, { stdin: "{}" }, { code: 7, says: /missing network name/ });
      }
    },
  },
  {
    name: "S1: a network's name has letters, digits, _, . and -, and begins with a letter or digit; any other fails with code 7",
    check: async ({ refused, succeeds }) => {
      for (const name of [...names.bad, ...names.notText]) {
        const quoted = JSON.stringify(name);
        for (const verb of ["ADD", "DEL"])
          await refused(
            verb,
            { netconf: { name } },
            { code: 7, says: `network name; name is ${quoted}`, what: `${verb} ${quoted}` },
          );
      }
      for (const name of ["0", "a.b", "A-_.", "n".repeat(300)]) await succeeds("DEL", { netconf: { name } }, name);
    },
  },
  {
    name: "skel: a key that differs from a known one only in case is refused, and the error names the right spelling",
    check: misspelled,
  },
  {
    name: "ours: an unknown key is refused and named, also a name of Object.prototype's properties",
    check: async ({ refused }) => {
      for (const key of [
        "zzzzzzzz",
        "toString",
        "constructor",
        "hasOwnProperty",
        "",
        "0",
        "cni.dev",
        "\ud800",
        "a\u0000b",
      ]) {
        const escaped = JSON.stringify(key);
        await refused("ADD", { netconf: { [key]: 1 } }, { code: 7, says: `unknown field ${escaped}`, what: escaped });
      }
      const stdin = (text: string) => text.replace("{", '{"__proto__":{"polluted":true},');
      await refused(
        "ADD",
        { stdin: stdin('{"cniVersion":"1.1.0","name":"n","type":"t"}') },
        { code: 7, says: /unknown field "__proto__"/ },
      );
    },
  },
  {
    name: "S5: a key of the specification with a value of the wrong type fails with code 7 and is named",
    check: async ({ refused }) => {
      const wrong: readonly (readonly [string, unknown])[] = [
        ["type", 7],
        ["disableCheck", "yes"],
        ["capabilities", []],
        ["runtimeConfig", "x"],
        ["args", [1]],
        ["dns", 7],
        ["prevResult", "none"],
        ["prevResult", []],
        ["ipam", "host-local"],
      ];
      for (const [key, value] of wrong) {
        const what = `${key}: ${JSON.stringify(value)}`;
        await refused("ADD", { netconf: { [key]: value } }, { code: 7, says: new RegExp(`^${key}\\b`), what });
      }
    },
  },
  {
    name: "ours: all faults of a configuration are reported at once",
    check: async ({ refused }) => {
      const says = /(?=.*capabilities: )(?=.*args: )(?=.*"zzzzzzzz")(?=.*"Dns")/;
      await refused("ADD", { netconf: { capabilities: 1, args: 1, zzzzzzzz: 1, Dns: 1 } }, { code: 7, says });
    },
  },
  {
    name: "S5: an IPAM plugin that the plugin would never call fails with code 2, which holds key and value",
    of: ({ ipam }) => ipam === "refused",
    check: async ({ refused }) => {
      await refused("ADD", { netconf: { ipam: { type: "host-local" } } }, { code: 2, says: /ipam\.type.*host-local/ });
    },
  },
  {
    name: "ours: DEL and GC require only the name and the version of a configuration",
    check: async ({ succeeds }) => {
      const faulty = [
        { zzzzzzzz: 1 },
        { args: 7, capabilities: 7, runtimeConfig: 7, dns: 7, disableCheck: 7 },
        { prevResult: "none" },
        { prevResult: { cniVersion: "9.9.9", interfaces: 7 } },
        { type: undefined },
      ];
      for (const netconf of faulty)
        for (const verb of ["DEL", "GC"]) await succeeds(verb, { netconf }, `${verb} ${JSON.stringify(netconf)}`);
    },
  },
];
