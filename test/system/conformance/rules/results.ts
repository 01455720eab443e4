// What ADD tells the runtime, in every version.
import { isDeepStrictEqual } from "node:util";
import type { Netconf } from "../../../harness/attachment.ts";
import type { Result } from "../../../harness/plugin.ts";
import { sorted, versions } from "../../../harness/previous-result.ts";
import { emulated } from "../emulation.ts";
import { faultsOfResult } from "../results.ts";
import type { Rule } from "../rule.ts";

/**
 * Where an earlier plugin's result is not in a later one's as it was: a key that is gone or
 * changed, a list that does not begin as it did.
 */
function lost(earlier: unknown, later: unknown, path = "prevResult"): string[] {
  if (Array.isArray(earlier) && Array.isArray(later))
    return earlier.flatMap((one, position) => lost(one, later[position], `${path}[${position}]`));
  if (isObject(earlier) && isObject(later))
    return Object.keys(earlier).flatMap((key) => lost(earlier[key], later[key], `${path}.${key}`));
  return isDeepStrictEqual(earlier, later)
    ? []
    : [`${path}: is ${JSON.stringify(later)}, not ${JSON.stringify(earlier)}`];
}

/** Without what nobody knows, so that the rest can be held against the version's shape. */
function known<T>(value: T): T {
  return JSON.parse(JSON.stringify(value, (key, one) => (key === "custom" ? undefined : one)));
}

/** All addresses, with their gateways; in 0.1.0 and 0.2.0 there is one of each family. */
function addressesIn(result: Netconf): unknown[] {
  const {
    ip4,
    ip6,
    ips = [],
  } = result as { ip4?: Family; ip6?: Family; ips?: { address: string; gateway?: string }[] };
  const families = [ip4, ip6].filter((one) => one !== undefined);
  return [
    ...families.map(({ ip, gateway }) => [ip, gateway]),
    ...ips.map(({ address, gateway }) => [address, gateway]),
  ];
}

interface Family {
  readonly ip: string;
  readonly gateway?: string;
}

const namesIn = (result: Netconf): unknown =>
  (result["interfaces"] as { name: string }[] | undefined)?.map(({ name }) => name);

/** Where every ADD is slow, those next to each other, and first and last. */
const pairs = versions.flatMap((from, row) =>
  versions.flatMap((to, column) => (!emulated || (row + 3) % versions.length === column ? [[from, to] as const] : [])),
);

export const results: readonly Rule[] = [
  {
    name: "S5: ADD's result is in the configuration's version, in its shape, and what this plugin has to tell, no more",
    attaches: true,
    check: async ({ t, subject, ground, attached, isSilent }) => {
      for (const cniVersion of versions)
        await attached({ netconf: { cniVersion } }, (answer) => {
          const { result } = answer;
          t.strictSame(sorted(result), sorted(subject.result(cniVersion, ground)), cniVersion);
          t.same(faultsOfResult(result, cniVersion), []);
          isSilent(answer);
        });
      for (const cniVersion of [undefined, ""])
        await attached({ netconf: { cniVersion } }, ({ result }) => {
          t.strictSame(
            sorted(result),
            sorted(subject.result("0.1.0", ground)),
            `cniVersion is ${JSON.stringify(cniVersion)}`,
          );
        });
    },
  },
  {
    name: "Multus: an empty list is left out of the result: it would be taken for one with interfaces",
    attaches: true,
    check: async ({ t, attached }) => {
      await attached({}, ({ stdout }) => t.notMatch(stdout, /\[\]|\{\}|null/));
    },
  },
  {
    name: "S2: prevResult is kept whole, with keys that nobody knows, and what is new comes behind it, in every version",
    attaches: true,
    check: async ({ t, subject, ground, chained, attached }) => {
      for (const version of versions) {
        const previous = ground.previousResult(version);
        await attached(chained(version, previous), ({ result }) => {
          t.same(lost(previous, result), [], version);
          const names = namesIn(previous) as string[] | undefined;
          t.same(namesIn(result as unknown as Netconf), names && [...names, ...subject.appended], version);
        });
      }
    },
  },
  {
    name: "S5: in a list the result has the version's shape, every address on an interface that there is",
    attaches: true,
    check: async ({ t, ground, chained, attached }) => {
      for (const version of versions)
        await attached(chained(version, known(ground.previousResult(version))), ({ result }) => {
          t.same(faultsOfResult(result, version), [], version);
        });
    },
  },
  {
    name: "S5: a prevResult of any other version becomes one of the configuration's, with the same addresses",
    attaches: true,
    check: async ({ t, subject, ground, chained, attached }) => {
      for (const [from, to] of pairs) {
        const previous = known(ground.previousResult(from));
        await attached(chained(to, previous), ({ result }) => {
          const what = `${from} to ${to}`;
          t.same(faultsOfResult(result, to), [], what);
          const found = addressesIn(result as unknown as Netconf);
          t.same(found.slice(0, 2), addressesIn(previous), what);
          if (from >= "0.3.0" && to >= "0.3.0")
            t.same(
              namesIn(result as unknown as Netconf),
              [...(namesIn(previous) as string[]), ...subject.appended],
              what,
            );
        });
      }
    },
  },
  {
    name: "S2: a prevResult with next to nothing in it is kept, null as Go writes it for no list too",
    attaches: true,
    of: ({ appended, ipam }) => appended.length === 0 && ipam === "refused",
    check: async ({ t, chained, attached }) => {
      for (const rest of [
        {},
        { interfaces: [], ips: [], routes: [], dns: {} },
        { interfaces: null, ips: null, dns: null },
      ]) {
        const previous = { cniVersion: "1.0.0", ...rest };
        await attached(chained("1.0.0", previous), ({ result }) => {
          t.strictSame(sorted(result), sorted(previous as unknown as Result));
        });
      }
    },
  },
  {
    name: "S2: a prevResult with next to nothing in it is no reason to fail, nor is null, as Go writes it for no list",
    attaches: true,
    check: async ({ t, subject, chained, attached }) => {
      for (const rest of [
        {},
        { interfaces: [], ips: [], routes: [], dns: {} },
        { interfaces: null, ips: null, routes: null },
      ])
        await attached(chained("1.0.0", { cniVersion: "1.0.0", ...rest }), ({ result }) => {
          const names = namesIn(result as unknown as Netconf) as string[] | undefined;
          for (const name of subject.appended) t.ok(names?.includes(name), name);
          t.equal(result?.cniVersion, "1.0.0");
        });
      await attached(chained("1.0.0", null), ({ result }) =>
        t.equal(result?.cniVersion, "1.0.0", "prevResult is null"),
      );
    },
  },
  {
    name: "S5: a prevResult that is no result is code 7 with all its faults, one of a version that there is not code 1",
    check: async ({ refused, chained }) => {
      const says =
        /(?=.*prevResult\.interfaces: )(?=.*prevResult\.ips\[1\]\.address: )(?=.*prevResult\.routes\[0\])(?=.*prevResult\.dns: )/;
      const bad = { interfaces: 7, ips: [{ address: "10.0.0.1/8" }, {}], routes: [7], dns: [] };
      for (const verb of ["ADD", "CHECK"]) {
        await refused(verb, chained("1.0.0", bad), { code: 7, says });
        await refused(verb, chained("1.0.0", { cniVersion: "9.9.9" }), { code: 1 });
      }
    },
  },
  {
    name: "S5: sandbox is CNI_NETNS, letter by letter, in what this plugin adds",
    attaches: true,
    of: ({ appended }) => appended.length > 0,
    check: async ({ t, ground, chained, attached, subject }) => {
      const netns = ground.namespace.path.replace("/run/netns", "/run/./netns/../netns");
      const { call, netconf } = chained("1.0.0", known(ground.previousResult("1.0.0")));
      await attached({ netconf: netconf!, call: { ...call, netns } }, ({ result }) => {
        const added = result!.interfaces!.slice(-subject.appended.length);
        t.same([...new Set(added.map(({ sandbox }) => sandbox))], [netns]);
      });
    },
  },
  {
    name: "S2: a second ADD of the same attachment is refused, changes nothing, and leaves the first one's DEL its work",
    attaches: true,
    of: ({ records }) => records,
    check: async ({ t, run, refused, attached, steady, isAsBefore }) => {
      await attached({}, async ({ result }) => {
        const between = await steady();
        await refused("ADD", {}, { code: 102, says: /call DEL first|has it/ });
        await isAsBefore(between);
        t.match(await run("CHECK", { netconf: { prevResult: result } }), { status: 0 });
      });
    },
  },
  {
    name: "S3: ADD and DEL of different containers may run at the same time",
    attaches: true,
    check: async ({ t, run, ground, another, isAsBefore }) => {
      const grounds = [ground, await another(), await another()];
      const before = await Promise.all(grounds.map((one) => one.state()));
      for (const verb of ["ADD", "DEL", "ADD", "DEL"]) {
        const answers = await Promise.all(grounds.map((one) => run(verb, {}, one)));
        t.same(
          answers.map(({ status }) => status),
          [0, 0, 0],
          verb,
        );
      }
      for (const [position, one] of grounds.entries()) await isAsBefore(before[position]!, undefined, one);
    },
  },
];

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
