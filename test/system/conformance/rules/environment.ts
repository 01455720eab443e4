// The variables that a runtime sets, and the errors if they are missing or invalid.
import type { Rule } from "../rule.ts";
import type { Trial } from "../trial.ts";

const attachment = ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"];
const needed: Readonly<Record<string, readonly string[]>> = {
  ADD: attachment,
  CHECK: attachment,
  DEL: ["CNI_CONTAINERID", "CNI_IFNAME"],
  GC: ["CNI_PATH"],
};
const prevResult = { cniVersion: "1.1.0" };

/** All non-empty subsets of a list. */
function subsets(list: readonly string[]): string[][] {
  const bits = Array.from({ length: 2 ** list.length - 1 }, (_, index) => index + 1);
  return bits.map((mask) => list.filter((_, position) => (mask >> position) % 2 === 1));
}

async function missing({ t, refused }: Trial, verb: string): Promise<void> {
  for (const names of subsets(needed[verb]!)) {
    const empty = { call: { env: Object.fromEntries(names.map((name) => [name, ""])) } };
    for (const [how, changes] of Object.entries({ empty, unset: { unset: names } })) {
      const what = `${verb} with ${names.join(", ")} ${how}`;
      const { error } = await refused(verb, { netconf: { prevResult }, ...changes }, { code: 4, what });
      const [, named] = /\[(.*)\]/.exec(error?.msg ?? "") ?? [];
      t.same(named?.split(",").sort(), [...names].sort(), `${what}: names it, and no other`);
    }
  }
}

const containerIds = {
  bad: [
    "../../etc/passwd",
    "../x",
    "..",
    "a/b",
    "a/../../b",
    "-a",
    ".a",
    "_a",
    "a b",
    "a\n",
    "\na",
    "a\t",
    "ä",
    "a:b",
    "a;b",
    "a%",
  ],
  good: ["0", "a-", "A_b.c-d", "a..", "f".repeat(64), "a".repeat(128)],
};

const ifnames: { bad: readonly (readonly [ifname: string, says: RegExp])[]; good: readonly string[] } = {
  bad: [
    ["a".repeat(16), /too long/],
    ["ä".repeat(8), /too long/],
    [".", /is \. or \.\./],
    ["..", /is \. or \.\./],
    ...[
      "a/b",
      "../x",
      "a:b",
      "a b",
      " a",
      "a\tb",
      "a\n",
      "a\u000bb",
      "a\u0085b",
      "a\u00a0b",
      "a\u2003b",
      "a\u2028b",
      "a\u3000b",
    ].map((ifname) => [ifname, /\/ or : or white/] as const),
  ],
  good: ["a".repeat(15), "ä".repeat(7), "...", "-", "a@b", "a%d", "ethernet.4094", "\ufeff"],
};

/** Paths that are no network namespace, and the expected messages. */
function elsewhere({ t, ground }: Trial): [netns: string, says: RegExp][] {
  const directory = t.testdir({
    file: "",
    link: t.fixture("symlink", "nowhere"),
    loop: t.fixture("symlink", "loop"),
  });
  return [
    ["/run/netns/nowhere", /\/run\/netns\/nowhere is missing/],
    ["nowhere", /nowhere is missing/],
    [`${directory}/link`, /\/link is missing/],
    [`${directory}/loop`, /\/loop cannot be opened/],
    [`${directory}/file/below`, /\/below is missing/],
    [`${ground.namespace.path}/below`, /\/below is missing/],
    [`${directory}/file`, /\/file is a regular file/],
    [directory, /is a directory/],
    ["/dev/null", /is a character device/],
    ["/proc/self/ns/mnt", /another kind of namespace/],
    ["/proc/999999999/ns/net", /is missing/],
  ];
}

export const environment: readonly Rule[] = [
  ...["ADD", "CHECK", "DEL", "GC"].map(
    (verb): Rule => ({
      name: `S2: ${verb} without ${needed[verb]!.join(", ")}, or any of them, fails with code 4 and names all that are missing`,
      check: (trial) => missing(trial, verb),
    }),
  ),
  {
    name: "S2: STATUS and VERSION require only CNI_COMMAND",
    check: async ({ t, subject, run, ground }) => {
      // If the configuration names an IPAM plugin, it must exist.
      const path = ground.netconf["ipam"] === undefined ? [] : [`CNI_PATH=${ground.call.path}`];
      for (const verb of ["STATUS", "VERSION"]) {
        const under = ["env", "-i", `CNI_COMMAND=${verb}`, ...path];
        const { status, error } = await run(verb, { call: { under } });
        // STATUS fails if ADD cannot succeed here.
        if (subject.attaches || verb === "VERSION") t.equal(status, 0, verb);
        else t.match(error, { code: 50 }, verb);
      }
    },
  },
  {
    name: "S2: a container ID has letters, digits, _, . and -, and begins with a letter or digit; any other fails with code 4",
    check: async ({ refused, succeeds }) => {
      for (const containerId of containerIds.bad) {
        const quoted = JSON.stringify(containerId);
        for (const verb of ["ADD", "CHECK", "DEL"]) {
          const changes = { call: { containerId }, netconf: { prevResult } };
          const says = `invalid characters in containerID; CNI_CONTAINERID is ${quoted}`;
          await refused(verb, changes, { code: 4, says, what: `${verb} ${quoted}` });
        }
      }
      for (const containerId of containerIds.good) await succeeds("DEL", { call: { containerId } }, containerId);
    },
  },
  {
    name: "skel: CNI_IFNAME has 1 to 15 bytes, is not . or .., and has no /, : or Unicode white space; any other fails with code 4",
    check: async ({ refused, succeeds }) => {
      for (const [ifname, says] of ifnames.bad) {
        for (const verb of ["ADD", "CHECK", "DEL"]) {
          const what = `${verb} ${JSON.stringify(ifname)}`;
          await refused(verb, { call: { ifname }, netconf: { prevResult } }, { code: 4, says, what });
        }
      }
      for (const ifname of ifnames.good) await succeeds("DEL", { call: { ifname } }, JSON.stringify(ifname));
    },
  },
  {
    name: "S2: a verb does not check variables that it does not need",
    check: async ({ t, ground, run, succeeds }) => {
      const bad = { containerId: "../x", ifname: "a/b", netns: "/nowhere", args: "no pair" };
      const withoutPath = { env: { CNI_PATH: "" } };
      await succeeds("GC", { call: bad });
      await succeeds("VERSION", { call: { ...bad, ...withoutPath }, stdin: "{" });
      const isFound = ground.netconf["ipam"] === undefined ? withoutPath : {};
      const { error } = await run("STATUS", { call: { ...bad, ...isFound } });
      t.not(error?.code, 4, "STATUS");
    },
  },
  {
    name: "S2: DEL needs neither CNI_NETNS nor CNI_PATH",
    of: ({ ipam }) => ipam !== "required",
    check: async ({ succeeds }) => {
      await succeeds("DEL", { unset: ["CNI_NETNS", "CNI_PATH"] });
      await succeeds("DEL", { call: { env: { CNI_NETNS: "", CNI_PATH: "" } } });
    },
  },
  {
    name: "S2: CNI_PATH is required only for delegation: ADD and CHECK succeed without it",
    attaches: true,
    of: ({ ipam }) => ipam !== "required",
    check: async ({ t, run, succeeds }) => {
      for (const changes of [{ unset: ["CNI_PATH"] }, { call: { env: { CNI_PATH: "" } } }]) {
        const { result } = await succeeds("ADD", changes);
        t.match(await run("CHECK", { ...changes, netconf: { prevResult: result } }), { status: 0 }, "CHECK");
        await succeeds("DEL", changes);
      }
    },
  },
  {
    name: "S2: an unknown CNI_COMMAND, or one in another case, fails with code 4 that names it",
    check: async ({ refused }) => {
      for (const verb of [
        "FOO",
        "add",
        "Add",
        "ADD ",
        " ADD",
        "DEL\n",
        "ADDD",
        "VERSION ",
        "toString",
        "__proto__",
        "constructor",
        "0",
        "ÄDD",
      ])
        await refused(
          verb,
          {},
          { code: 4, says: `unknown CNI_COMMAND: ${verb.replace("\n", "\\x0a")}`, what: JSON.stringify(verb) },
        );
    },
  },
  {
    name: "skel: without a CNI_COMMAND, the plugin prints its name and versions on standard error, and succeeds",
    check: async ({ t, run, subject }) => {
      for (const answer of [await run(""), await run("", { unset: ["CNI_COMMAND"] })]) {
        t.match(answer, { status: 0, stdout: "" });
        t.match(answer.stderr, new RegExp(`^${subject.name}: .*\\n.*0\\.1\\.0.*1\\.1\\.0\\n$`));
      }
    },
  },
  {
    name: "skel: a CNI_NETNS that is missing or no namespace fails with code 8; DEL takes it for deleted",
    check: async (trial) => {
      for (const [netns, says] of elsewhere(trial)) {
        for (const verb of ["ADD", "CHECK"])
          await trial.refused(
            verb,
            { call: { netns }, netconf: { prevResult } },
            { code: 8, says, what: `${verb} ${netns}` },
          );
        await trial.succeeds("DEL", { call: { netns } }, `DEL ${netns}`);
      }
    },
  },
  {
    name: "skel: the plugin's own namespace as CNI_NETNS fails with code 8 and changes nothing; DEL takes it for deleted",
    check: async ({ refused, succeeds, ground, isAsBefore }) => {
      const before = await ground.state();
      for (const call of [{ netns: "/proc/self/ns/net" }, { netns: ground.namespace.path, node: ground.namespace }]) {
        for (const verb of ["ADD", "CHECK"])
          await refused(
            verb,
            { call, netconf: { prevResult } },
            { code: 8, says: /is the node's own network namespace/ },
          );
        await isAsBefore(before);
        await succeeds("DEL", { call });
      }
    },
  },
  {
    name: "skel: CNI_NETNS_OVERRIDE, 1 or true, allows the plugin's own namespace",
    attaches: true,
    of: ({ reach }) => reach === "pod",
    check: async ({ attached, refused, t, ground }) => {
      for (const CNI_NETNS_OVERRIDE of ["1", "true", "TRUE"]) {
        const call = { node: ground.namespace, env: { CNI_NETNS_OVERRIDE } };
        await attached({ call }, () => t.pass(), CNI_NETNS_OVERRIDE);
      }
      for (const CNI_NETNS_OVERRIDE of ["", "0", "false"])
        await refused("ADD", { call: { node: ground.namespace, env: { CNI_NETNS_OVERRIDE } } }, { code: 8 });
    },
  },
];
