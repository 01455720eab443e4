// The result of ADD, in every version.
import { isDeepStrictEqual } from "node:util";
import type { Netconf } from "../../../harness/attachment.ts";
import type { Result } from "../../../harness/plugin.ts";
import { sorted, versions } from "../../../harness/previous-result.ts";
import { emulated } from "../emulation.ts";
import { faultsOfResult } from "../results.ts";
import type { Rule } from "../rule.ts";

/**
 * The paths at which a later result does not keep an earlier plugin's result: missing or changed
 * keys, and lists that begin with other entries.
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

/** Returns the value without unknown keys, to compare it with the version's schema. */
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

/** All pairs of versions; on an emulated machine one pair for each version. */
const pairs = versions.flatMap((from, row) =>
  versions.flatMap((to, column) => (!emulated || (row + 3) % versions.length === column ? [[from, to] as const] : [])),
);

export const results: readonly Rule[] = [
  {
    name: "S5: ADD's result has the configuration's version and its schema, and holds what this plugin reports, no more",
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
    name: "Multus: an empty list is left out of the result: Multus would take it for one with interfaces",
    attaches: true,
    check: async ({ t, attached }) => {
      await attached({}, ({ stdout }) => t.notMatch(stdout, /\[\]|\{\}|null/));
    },
  },
  {
    name: "S2: ADD keeps prevResult, with its unknown keys, and appends its own entries, in every version",
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
    name: "S5: in a chain, the result has the version's schema, and each address is on an interface of the result",
    attaches: true,
    check: async ({ t, ground, chained, attached }) => {
      for (const version of versions)
        await attached(chained(version, known(ground.previousResult(version))), ({ result }) => {
          t.same(faultsOfResult(result, version), [], version);
        });
    },
  },
  {
    name: "S5: a prevResult of any other version is converted to the configuration's version, with the same addresses",
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
    name: "S2: an almost empty prevResult is kept, also with null for an empty list, as Go writes it",
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
    name: "S2: an almost empty prevResult is accepted, also with null for an empty list, as Go writes it",
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
    name: "S5: an invalid prevResult fails with code 7 that names all faults; one of an unknown version fails with code 1",
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
    name: "S5: the sandbox of each interface that this plugin adds is exactly CNI_NETNS",
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
    name: "S2: a second ADD of the same attachment is refused and changes nothing, and DEL then undoes the first one",
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
    name: "S3: concurrent ADDs and DELs of different containers succeed",
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
