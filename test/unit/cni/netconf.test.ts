import t from "tap";
import {
  type ConfOf,
  defaulted,
  defineSchema,
  journalDirectory,
  optional,
  required,
  type SalvagedOf,
} from "../../../lib/cni/netconf.ts";
import {
  cidr,
  either,
  flag,
  integer,
  ip,
  linkName,
  list,
  mac,
  maybe,
  object,
  oneOf,
  pair,
  pciAddress,
  text,
} from "../../../lib/cni/schemas.ts";

const id = () => integer({ min: 1, max: 4094 });
const netconf = defineSchema(
  () => ({
    owner: defaulted(107, () => integer({ min: 0, max: 4294967294 })),
    mtu: optional(() => integer({ min: 68, max: 65535, unit: "bytes" })),
    mac: optional(mac),
    attachment: defaulted("tap", () => oneOf("tap", "managedTap")),
    bridgeAddress: defaulted("auto", () => either(oneOf("auto", "none"), cidr())),
    vlan: optional(id),
    vlanTrunk: optional(() => list(either(object({ id: id() }), object({ minID: id(), maxID: id() })), { max: 3 })),
    groups: optional(() => pair(integer({ min: 0, max: 9 }))),
    rate: optional(() => object({ min: maybe(id()), max: id() })),
    portIsolation: defaulted(false, flag),
    deviceID: required(pciAddress),
    gateway: optional(ip),
    interface: optional(linkName),
    label: optional(() => text({ max: 10 })),
    dataDir: journalDirectory("x"),
  }),
  ({ mtu, vlan }) =>
    mtu !== undefined && vlan !== undefined && mtu < vlan ? ["mtu: is below vlan", "vlan: is above mtu"] : [],
);

type Conf = ConfOf<typeof netconf>;
const least = { deviceID: "0000:3b:02.6" };
const defaults = {
  owner: 107,
  attachment: "tap",
  bridgeAddress: "auto",
  portIsolation: false,
  dataDir: "/run/x",
} as const;

/** Returns the message that parsing a valid netconf plus `more` throws. */
function fault(more: object): string | undefined {
  try {
    netconf.parse({ ...least, ...more });
    return undefined;
  } catch (failure) {
    t.match(failure, { name: "CniError", code: 7 });
    return (failure as Error).message;
  }
}

t.test("parse returns the fields of a valid netconf and the defaults of absent fields", async (t) => {
  const conf: Conf = netconf.parse({ ...least, name: "blue", mtu: 1500, portIsolation: true });
  t.same(conf, { ...defaults, ...least, mtu: 1500, portIsolation: true });
  // tsc checks that the types agree.
  const owner: number = conf.owner;
  const mtu: number | undefined = conf.mtu;
  const attachment: "tap" | "managedTap" = conf.attachment;
  const salvaged: SalvagedOf<typeof netconf> = defaults;
  t.same([owner, mtu, attachment, salvaged.owner], [107, 1500, "tap", 107]);
});

t.test("parse treats null as absent", async (t) => {
  t.same(netconf.parse({ ...least, mtu: null, attachment: null, args: null, vln: null }), { ...defaults, ...least });
  t.throws(() => netconf.parse({ deviceID: null }), { message: "deviceID: is missing" });
});

t.test("parse reports every fault at once, those of fields first", async (t) => {
  t.equal(
    fault({ vln: 5, mtu: 42, owner: -1, deviceID: undefined, ipam: [] }),
    'owner: must be at least 0, not -1; mtu: must be at least 68 bytes, not 42; deviceID: is missing; netconf: unknown field "vln", did you mean "vlan"?; ipam: must be an object, not a list',
  );
});

t.test("parse refuses an invalid value with the expected and the actual value", async (t) => {
  const macWords = "mac: must be a unicast MAC address such as 02:00:00:00:00:01, not";
  for (const [more, words] of [
    [{ mtu: 42 }, "mtu: must be at least 68 bytes, not 42"],
    [{ mtu: 65536 }, "mtu: must be at most 65535 bytes, not 65536"],
    [{ mtu: 1e99 }, "mtu: must be a whole number, not 1e+99"],
    [{ mtu: 1500.5 }, "mtu: must be a whole number, not 1500.5"],
    [{ mtu: Number.POSITIVE_INFINITY }, "mtu: must be a whole number, not Infinity"],
    [{ mtu: "1500" }, 'mtu: must be a whole number, not "1500"'],
    [{ mtu: [1500] }, "mtu: must be a whole number, not a list of 1"],
    [{ mtu: { value: 1500 } }, "mtu: must be a whole number, not an object"],
    [{ portIsolation: "yes" }, 'portIsolation: must be true or false, not "yes"'],
    [{ portIsolation: 1 }, "portIsolation: must be true or false, not 1"],
    [{ attachment: "Tap" }, 'attachment: must be "tap" or "managedTap", not "Tap"'],
    [{ mac: "01:00:5e:00:00:01" }, `${macWords} "01:00:5e:00:00:01"`],
    [{ mac: "00:00:00:00:00:00" }, `${macWords} "00:00:00:00:00:00"`],
    [{ mac: "02:00:00:00:00" }, `${macWords} "02:00:00:00:00"`],
    [
      { bridgeAddress: "x" },
      'bridgeAddress: must be "auto" or "none", or an address with its prefix length, such as 10.0.0.1/24, not "x"',
    ],
    [
      { bridgeAddress: 5 },
      'bridgeAddress: must be "auto" or "none", or an address with its prefix length, such as 10.0.0.1/24, not 5',
    ],
    [{ gateway: "10.0.0.256" }, 'gateway: must be an IP address such as 10.0.0.1 or fd00::1, not "10.0.0.256"'],
    [{ deviceID: "3b:02.6" }, 'deviceID: must be a PCI address such as 0000:3b:02.6, not "3b:02.6"'],
    [{ interface: "a/b" }, `interface: must be a link's name: 1 to 15 bytes without white space, / or :, not "a/b"`],
    [
      { interface: "sixteen-bytes-it" },
      `interface: must be a link's name: 1 to 15 bytes without white space, / or :, not "sixteen-bytes-it"`,
    ],
    [{ label: "" }, 'label: must be text of 1 to 10 characters, not ""'],
    [{ label: "eleven char" }, 'label: must be text of 1 to 10 characters, not "eleven char"'],
    [{ label: "a\u0000b" }, 'label: must be text of 1 to 10 characters, without control characters, not "a\\u0000b"'],
    [{ dataDir: "run" }, 'dataDir: must be /run/x or a directory below it, not "run"'],
    [{ dataDir: "/run/../etc" }, 'dataDir: must be /run/x or a directory below it, not "/run/../etc"'],
    [{ dataDir: "/run\u0000" }, 'dataDir: must be /run/x or a directory below it, not "/run\\u0000"'],
    [{ label: "x".repeat(100) }, `label: must be text of 1 to 10 characters, not "${"x".repeat(60)}…"`],
  ] as const)
    t.equal(fault(more), words);
});

t.test("parse names a nested value by its path", async (t) => {
  for (const [more, words] of [
    [{ vlanTrunk: {} }, "vlanTrunk: must be a list, not an object"],
    [
      { vlanTrunk: [{ id: 1 }, { id: 2 }, { id: 3 }, { id: 4 }] },
      "vlanTrunk: must be a list of at most 3 entries, not a list of 4",
    ],
    [{ vlanTrunk: [{ id: 1 }, { id: 5000 }] }, "vlanTrunk[1].id: must be at most 4094, not 5000"],
    [{ vlanTrunk: [{ minID: 5 }] }, "vlanTrunk[0].maxID: is missing"],
    [{ vlanTrunk: [7] }, "vlanTrunk[0]: must be an object, not 7"],
    [{ groups: [1, 2, 3] }, "groups: must be a list of two, not a list of 3"],
    [{ groups: [1] }, "groups: must be a list of two, not a list of 1"],
    [{ groups: [1, 10] }, "groups[1]: must be at most 9, not 10"],
    [{ groups: { 0: 1, 1: 2 } }, "groups: must be a list of two, not an object"],
    [{ rate: { Max: 5 } }, 'rate.max: is missing; rate: unknown field "Max", it is spelled "max"'],
    [{ rate: { min: 0, max: 9999 } }, "rate.min: must be at least 1, not 0; rate.max: must be at most 4094, not 9999"],
    [{ rate: { max: 1, a: 1, b: 2 } }, 'rate: unknown field "a"; unknown field "b"'],
  ] as const)
    t.equal(fault(more), words);
});

t.test("parse refuses an unknown field and suggests a similar one", async (t) => {
  for (const [field, words] of [
    ["MTU", 'netconf: unknown field "MTU", it is spelled "mtu"'],
    ["vlantrunk", 'netconf: unknown field "vlantrunk", it is spelled "vlanTrunk"'],
    ["prevresult", 'netconf: unknown field "prevresult", it is spelled "prevResult"'],
    ["vlanTrunks", 'netconf: unknown field "vlanTrunks", did you mean "vlanTrunk"?'],
    ["capabilites", 'netconf: unknown field "capabilites", did you mean "capabilities"?'],
    ["isGateway", 'netconf: unknown field "isGateway", did you mean "gateway"?'],
    ["macspoofchk", 'netconf: unknown field "macspoofchk"'],
    ["constructor", 'netconf: unknown field "constructor"'],
    ["toString", 'netconf: unknown field "toString"'],
    ["", 'netconf: unknown field ""'],
    ["\ud800", 'netconf: unknown field "\\ud800"'],
  ] as const)
    t.equal(fault({ [field]: 1 }), words);
  t.equal(fault(JSON.parse('{"__proto__": {"mtu": 1}}')), 'netconf: unknown field "__proto__"');
});

t.test("parse refuses a standard field of the wrong type", async (t) => {
  for (const [more, words] of [
    [{ args: "a" }, "args: must be an object, not text"],
    [{ runtimeConfig: [] }, "runtimeConfig: must be an object, not a list"],
    [{ capabilities: true }, "capabilities: must be an object, not true or false"],
    [{ type: 5 }, "type: must be text, not a number"],
    [{ disableCheck: "no" }, "disableCheck: must be true or false, not text"],
  ] as const)
    t.equal(fault(more), words);
});

t.test("parse applies rules about several fields only if each field is valid", async (t) => {
  t.equal(fault({ mtu: 100, vlan: 200 }), "mtu: is below vlan; vlan: is above mtu");
  t.equal(fault({ mtu: 1, vlan: 200 }), "mtu: must be at least 68 bytes, not 1");
});

t.test("parse returns a MAC address in the kernel's spelling", async (t) => {
  t.equal(netconf.parse({ ...least, mac: "02-00-00-AB-cd-EF" }).mac, "02:00:00:ab:cd:ef");
});

t.test("salvage returns the valid fields and never throws", async (t) => {
  t.same(netconf.salvage({ mtu: 1, owner: 5, attachment: "X", vlan: 7, vln: 1, dns: [] }), {
    ...defaults,
    owner: 5,
    vlan: 7,
  });
  t.same(netconf.salvage({}), defaults);
});

t.test("parse builds the schema of a field only if the netconf has the field", async (t) => {
  const built: string[] = [];
  const counted = (name: string) => () => {
    built.push(name);
    return flag();
  };
  const lazy = defineSchema(() => ({ one: optional(counted("one")), other: defaulted(true, counted("other")) }));
  lazy.parse({ name: "blue" });
  t.same(built, []);
  lazy.parse({ one: true });
  t.same(built, ["one"]);
});
