import t from "tap";
import { readResult, writeResult } from "../../../lib/cni/conversion.ts";
import type { Result } from "../../../lib/cni/results.ts";
import { isAtLeast, type Version, versions } from "../../../lib/cni/versions.ts";
import { fc } from "../../harness/fast-check.ts";

const full: Result = {
  interfaces: [
    { name: "br0", mac: "02:00:00:00:00:01" },
    {
      name: "eth0",
      mac: "02:00:00:00:00:02",
      mtu: 1400,
      sandbox: "/run/netns/blue",
      socketPath: "/run/s",
      pciID: "0000:3b:02.6",
    },
  ],
  ips: [
    { address: "10.0.0.7/24", gateway: "10.0.0.1", interface: 1 },
    { address: "fd00::7/64", gateway: "fd00::1", interface: 1 },
    { address: "10.1.0.7/24", interface: 1 },
  ],
  routes: [
    { dst: "0.0.0.0/0", gw: "10.0.0.1", mtu: 1300, advmss: 1200, priority: 5, table: 7, scope: 0 },
    { dst: "::/0", gw: "fd00::1" },
    { dst: "10.9.0.0/16" },
  ],
  dns: { nameservers: ["10.0.0.2"], domain: "blue", search: ["blue"], options: ["rotate"] },
};

const plainInterfaces = [
  { name: "br0", mac: "02:00:00:00:00:01" },
  { name: "eth0", mac: "02:00:00:00:00:02", sandbox: "/run/netns/blue" },
];
const plainRoutes = [{ dst: "0.0.0.0/0", gw: "10.0.0.1" }, { dst: "::/0", gw: "fd00::1" }, { dst: "10.9.0.0/16" }];
const families = {
  ip4: {
    ip: "10.0.0.7/24",
    gateway: "10.0.0.1",
    routes: [{ dst: "0.0.0.0/0", gw: "10.0.0.1" }, { dst: "10.9.0.0/16" }],
  },
  ip6: { ip: "fd00::7/64", gateway: "fd00::1", routes: [{ dst: "::/0", gw: "fd00::1" }] },
  dns: full.dns,
};
const withFamily = {
  interfaces: plainInterfaces,
  ips: [
    { version: "4", address: "10.0.0.7/24", gateway: "10.0.0.1", interface: 1 },
    { version: "6", address: "fd00::7/64", gateway: "fd00::1", interface: 1 },
    { version: "4", address: "10.1.0.7/24", interface: 1 },
  ],
  routes: plainRoutes,
  dns: full.dns,
};

/** {@link full} in each version. */
const golden: Record<Version, object> = {
  "0.1.0": families,
  "0.2.0": families,
  "0.3.0": withFamily,
  "0.3.1": withFamily,
  "0.4.0": withFamily,
  "1.0.0": { ...withFamily, ips: full.ips },
  "1.1.0": full,
};

t.test("writeResult writes a result in the form of each version", async (t) => {
  for (const version of versions)
    t.strictSame(
      JSON.parse(JSON.stringify(writeResult(full, version, undefined))),
      { cniVersion: version, ...golden[version] },
      version,
    );
});

t.test("readResult converts a result of each version to the newest version", async (t) => {
  const withoutNew = { ...full, interfaces: plainInterfaces, routes: plainRoutes };
  const fromFamilies = {
    ips: [
      { address: "10.0.0.7/24", gateway: "10.0.0.1" },
      { address: "fd00::7/64", gateway: "fd00::1" },
    ],
    routes: [{ dst: "0.0.0.0/0", gw: "10.0.0.1" }, { dst: "10.9.0.0/16" }, { dst: "::/0", gw: "fd00::1" }],
    dns: full.dns,
  };
  for (const version of versions) {
    const read = readResult({ cniVersion: version, ...golden[version] }, "0.1.0", "prevResult");
    const shown = writeResult(read, "1.1.0", undefined);
    const expected = version === "1.1.0" ? full : isAtLeast(version, "0.3.0") ? withoutNew : fromFamilies;
    t.strictSame(shown, { cniVersion: "1.1.0", ...expected }, version);
  }
});

t.test("a result converted between two versions keeps what both versions can hold", async (t) => {
  for (const from of versions) {
    for (const to of versions) {
      const narrower = isAtLeast(from, to) ? to : from;
      const read = readResult({ cniVersion: from, ...golden[from] }, from, "prevResult");
      const there = writeResult(read, to, undefined);
      const back = writeResult(readResult(there as never, to, "prevResult"), narrower, undefined);
      t.same(back, { cniVersion: narrower, ...golden[narrower] }, `${from} to ${to}`);
    }
  }
});

t.test("readResult reads a document without cniVersion in the version that it was passed", async (t) => {
  for (const cniVersion of [undefined, null, ""])
    t.same(readResult({ cniVersion, ip4: { ip: "10.0.0.7/24" } }, "0.2.0", "prevResult"), {
      ips: [{ address: "10.0.0.7/24" }],
    });
});

t.test("an empty result stays empty in every version", async (t) => {
  for (const version of versions) {
    t.same(writeResult({}, version, undefined), { cniVersion: version });
    t.same(readResult({ cniVersion: version }, version, "prevResult"), {});
  }
});

t.test("readResult treats null, which Go writes for an empty list, as absent", async (t) => {
  t.same(
    readResult(
      { cniVersion: "1.0.0", interfaces: null, ips: null, routes: null, dns: null, x: 1 },
      "1.0.0",
      "prevResult",
    ),
    { x: 1 },
  );
  t.same(
    readResult({ cniVersion: "0.2.0", ip4: null, ip6: { ip: "fd00::7/64", routes: null } }, "0.2.0", "prevResult"),
    {
      ips: [{ address: "fd00::7/64" }],
    },
  );
});

t.test(
  "writeResult throws for an address on a missing interface unless prevResult holds the same address",
  async (t) => {
    for (const position of [1, -1]) {
      const result: Result = { interfaces: [{ name: "eth0" }], ips: [{ address: "10.0.0.7/24", interface: position }] };
      for (const version of versions) t.throws(() => writeResult(result, version, undefined), { name: "RangeError" });
      t.same(writeResult(result, "1.1.0", result), { cniVersion: "1.1.0", ...result });
    }
    t.throws(() => writeResult({ ips: [{ address: "10.0.0.7/24", interface: 0 }] }, "1.1.0", undefined), {
      name: "RangeError",
    });
  },
);

t.test("readResult reports every malformed value with its path", async (t) => {
  t.throws(() => readResult({ interfaces: [{}, 5], ips: {}, routes: [null, { dst: 1 }], dns: 5 }, "1.1.0", "output"), {
    code: 7,
    message:
      "output.interfaces[0].name: must be text; output.interfaces[1]: must be an object; output.ips: must be a list; output.routes[0]: must be an object; output.routes[1].dst: must be text; output.dns: must be an object",
  });
  t.throws(() => readResult({ cniVersion: "0.2.0", ip4: { ip: 5 } }, "0.2.0", "output"), {
    message: "output.ips[0].address: must be text",
  });
});

const arbitraryResult: fc.Arbitrary<Result> = fc
  .record({
    interfaces: fc.array(
      fc.record(
        { name: fc.constantFrom("eth0", "br0"), mtu: fc.nat(), pciID: fc.string() },
        { requiredKeys: ["name"] },
      ),
      { maxLength: 3 },
    ),
    ips: fc.array(
      fc.record(
        {
          address: fc.oneof(
            fc.ipV4().map((ip) => `${ip}/24`),
            fc.ipV6().map((ip) => `${ip}/64`),
          ),
          gateway: fc.ipV4(),
          interface: fc.nat({ max: 2 }),
        },
        { requiredKeys: ["address"] },
      ),
      { maxLength: 4 },
    ),
    routes: fc.array(
      fc.record(
        { dst: fc.constantFrom("0.0.0.0/0", "::/0"), gw: fc.ipV4(), table: fc.nat() },
        { requiredKeys: ["dst"] },
      ),
      { maxLength: 3 },
    ),
  })
  .map(({ interfaces, ips, routes }) => ({
    interfaces,
    routes,
    ips: ips.map(({ interface: position, ...ip }) =>
      position === undefined || position >= interfaces.length ? ip : { ...ip, interface: position },
    ),
  })) as never;

t.test("a written result is unchanged after it is read and written again", async (t) => {
  fc.assert(
    fc.property(arbitraryResult, fc.constantFrom(...versions), (result, version) => {
      const once = writeResult(result, version, undefined);
      t.same(writeResult(readResult(once, version, "prevResult"), version, undefined), once);
    }),
  );
});

t.test("writeResult writes no address on a missing interface, in any version", async (t) => {
  fc.assert(
    fc.property(arbitraryResult, fc.constantFrom(...versions), (result, version) => {
      const { interfaces = [], ips = [] } = writeResult(result, version, undefined) as Result;
      t.ok(ips.every(({ interface: position }) => position === undefined || position < interfaces.length));
    }),
  );
});

t.test("writeResult does not modify its argument", async (t) => {
  const frozen = Object.freeze({ ...full, ips: Object.freeze(full.ips!.map((ip) => Object.freeze({ ...ip }))) });
  for (const version of versions) t.doesNotThrow(() => writeResult(frozen, version, undefined));
});
