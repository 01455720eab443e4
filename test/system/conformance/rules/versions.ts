// The versions: which exist, which a configuration may have, and which verbs each has.
import { versions } from "../../../harness/previous-result.ts";
import type { Rule } from "../rule.ts";

const prevResult = {};
const since: Readonly<Record<string, string>> = { CHECK: "0.4.0", GC: "1.1.0", STATUS: "1.1.0" };
const unknown = [
  "9.9.9",
  "1.0",
  "1.0.1",
  "2.0.0",
  "0.5.0",
  "0.3",
  "v1.0.0",
  " 1.0.0",
  "1.0.0 ",
  "1.0.0\n",
  "01.0.0",
  "latest",
  1,
  1.1,
  0,
  true,
  false,
  [],
  {},
  ["1.0.0"],
];

export const versionRules: readonly Rule[] = [
  {
    name: "S2: VERSION reports its own version and all supported versions, which include it",
    check: async ({ t, run }) => {
      const { status, result, stderr } = await run("VERSION");
      t.match({ status, stderr }, { status: 0, stderr: "" });
      t.same(result!.supportedVersions, versions);
      t.ok(versions.includes(result!.cniVersion));
    },
  },
  {
    name: "S1: an unsupported version fails with code 1, and details names it and the supported ones, for every verb",
    check: async ({ t, run }) => {
      for (const cniVersion of unknown) {
        const verbs = cniVersion === "9.9.9" || cniVersion === 1 ? ["ADD", "DEL", "CHECK", "GC", "STATUS"] : ["ADD"];
        for (const verb of verbs) {
          const { status, error } = await run(verb, { netconf: { cniVersion, prevResult } });
          const what = `${verb} ${JSON.stringify(cniVersion)}`;
          t.match({ status, error }, { status: 1, error: { code: 1, msg: "incompatible CNI versions" } }, what);
          t.equal(
            error?.details,
            `config is ${JSON.stringify(cniVersion)}, plugin supports ${JSON.stringify(versions)}`,
          );
        }
      }
    },
  },
  {
    name: "S1: a configuration without a cniVersion, or with an empty one, has version 0.1.0",
    check: async ({ t, run, refused }) => {
      for (const cniVersion of [undefined, "", null]) {
        const { error } = await run("ADD", { netconf: { cniVersion, name: "/" } });
        t.match(error, { cniVersion: "0.1.0", code: 7 });
        for (const verb of ["CHECK", "GC", "STATUS"])
          await refused(verb, { netconf: { cniVersion } }, { code: 1, says: /0\.1\.0/, what: verb });
      }
    },
  },
  {
    name: "S5: an error has the configuration's cniVersion, once it is known",
    check: async ({ t, run }) => {
      for (const cniVersion of versions) {
        for (const netconf of [{ name: "/" }, { zzzzzzzz: 1 }, { prevResult: "none" }]) {
          const { error } = await run("ADD", { netconf: { cniVersion, ...netconf } });
          t.equal(error?.cniVersion, cniVersion);
        }
      }
    },
  },
  ...Object.entries(since).map(
    ([verb, first]): Rule => ({
      name: `S2: ${verb} below ${first} fails with code 1`,
      check: async ({ t, run }) => {
        for (const cniVersion of versions) {
          const { status, error } = await run(verb, { netconf: { cniVersion, prevResult } });
          if (cniVersion < first) {
            const msg = `config version does not allow ${verb}`;
            t.match({ status, error }, { status: 1, error: { cniVersion, code: 1, msg } }, cniVersion);
          } else t.not(error?.code, 1, cniVersion);
        }
      },
    }),
  ),
  {
    name: "S2: every version has DEL",
    check: async ({ succeeds }) => {
      for (const cniVersion of [...versions, undefined, ""])
        await succeeds("DEL", { netconf: { cniVersion } }, `${cniVersion}`);
    },
  },
];
