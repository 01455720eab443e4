// The published JSON Schemas against the plugins' own parsers, by a validator that shares no code
// with them.
import { readdir, readFile } from "node:fs/promises";
import { Ajv2020 } from "ajv/dist/2020.js";
import t from "tap";
import { parse } from "yaml";
import { plugins, schemas as published } from "../../../scripts/docs.ts";
import { fc } from "../../harness/fast-check.ts";

type Conf = Record<string, unknown>;

const root = new URL("../../../", import.meta.url);
const ajv = new Ajv2020({ strict: true, allErrors: true });
const validators = new Map(
  await Promise.all(
    published.map(async ({ file }) => {
      const name = file.slice(file.lastIndexOf("/") + 1, -".json".length);
      return [name, ajv.compile(JSON.parse(await readFile(new URL(file, root), "utf8")))] as const;
    }),
  ),
);

/** What the schema has against it, such as `/mtu must be >= 68`; empty where it is valid. */
function faults(schema: string, conf: unknown): string[] {
  const validate = validators.get(schema)!;
  return validate(conf) ? [] : validate.errors!.map(({ instancePath, message }) => `${instancePath} ${message}`);
}

/** The schema that an editor goes by. */
const schemaFor = (conf: Conf): string => (Object.hasOwn(conf, "plugins") ? "conflist" : String(conf["type"]));

const examples = new URL("netconf-examples/", root);
const files = (await readdir(examples, { recursive: true })).filter((file) => !file.startsWith("schemas")).sort();
let found = 0;
for (const file of files.filter((name) => /\.(yaml|json|conflist)$/.test(name))) {
  const text = await readFile(new URL(file, examples), "utf8");
  const content = parse(text) as Conf & { readonly spec?: { readonly config?: string } };
  const config = file.endsWith(".yaml") ? content.spec?.config : text;
  if (config === undefined) continue;
  found++;
  const conf = JSON.parse(config) as Conf;
  t.test(`${file} is valid by its schema, and with a field misspelled it is not`, async (t) => {
    t.same(faults(schemaFor(conf), conf), []);
    const wrong = structuredClone(conf) as Conf & { plugins?: Conf[] };
    const ours = wrong.plugins?.at(-1) ?? wrong;
    ours["dataDri"] = "/run/x";
    t.match(faults(schemaFor(conf), wrong).join(), /must NOT have additional properties/);
  });
}
t.test("there are examples", async (t) => {
  t.ok(found >= 7, `${found} of them`);
});

for (const [type, wrong] of [
  ["bridge-binding", { mtu: 42 }],
  ["bridge-binding", { mtu: "1500" }],
  ["bridge-binding", { queues: 0 }],
  ["bridge-binding", { vlan: 4095 }],
  ["bridge-binding", { vlanTrunk: [{ id: 5, minID: 3 }] }],
  ["bridge-binding", { attachment: "macvtap" }],
  ["bridge-binding", { mac: "01:00:00:00:00:01" }],
  ["bridge-binding", { mac: "00:00:00:00:00:00" }],
  ["bridge-binding", { mac: "02:00:00-00:00:01" }],
  ["bridge-binding", { bridgeAddress: "10.0.0.1" }],
  ["bridge-binding", { bridgeAddress: "10.0.0.1/33" }],
  ["bridge-binding", { bridgeAddress: "10.0.0.256/24" }],
  ["bridge-binding", { primaryInterface: "an-interface-too-long" }],
  ["bridge-binding", { primaryInterface: "a/b" }],
  ["bridge-binding", { primaryInterface: ".." }],
  ["bridge-binding", { dataDir: "run" }],
  ["bridge-binding", { dataDir: "/run/../etc" }],
  ["bridge-binding", { dataDir: "/run/bridge-binding/../x" }],
  ["bridge-binding", { dataDir: "/etc/cni/net.d" }],
  ["bridge-binding", { logFile: "/etc/ld.so.preload" }],
  ["bridge-binding", { selinuxContext: "" }],
  ["bridge-binding", { keepPodAddresses: "yes" }],
  ["bridge-binding", { type: "bridge-bindings" }],
  ["bridge-binding", { cniVersion: "1.0" }],
  ["bridge-binding", { name: "a b" }],
  ["bridge-binding", { name: undefined }],
  ["bridge-binding", { ipam: "host-local" }],
  ["passt-binding", { pingGroupRange: [107] }],
  ["passt-binding", { pingGroupRange: [107, 107, 107] }],
  ["passt-binding", { unprivilegedPortStart: 65536 }],
  ["passt-binding", { mtu: 1500 }],
  ["sriov-vfio", { deviceID: "3b:02.6" }],
  ["sriov-vfio", { driver: "igbvf" }],
  ["sriov-vfio", { spoofchk: true }],
  ["sriov-vfio", { min_tx_rate: -1 }],
] as const) {
  t.test(`${type} with ${JSON.stringify(wrong)} is refused by the schema, as it is by the plugin`, async (t) => {
    const good = { cniVersion: "1.1.0", name: "n", type };
    t.same(faults(type, good), []);
    const about = Object.keys(wrong)[0]!;
    const refused = faults(type, JSON.parse(JSON.stringify({ ...good, ...wrong })));
    t.match(refused.join(), new RegExp(`${about}|additional properties`));
    const [, netconf] = plugins.find(([name]) => name === type)!;
    if (!["type", "cniVersion", "name"].includes(about)) t.throws(() => netconf.parse({ ...good, ...wrong }));
  });
}

t.test(
  "in a list, a plugin of ours is checked, one of others is not, and neither needs a name of its own",
  async (t) => {
    const list = (...all: Conf[]) => ({ cniVersion: "1.1.0", name: "n", plugins: all });
    t.same(faults("conflist", list({ type: "bridge", isGateway: true }, { type: "bridge-binding", mtu: 1400 })), []);
    t.match(faults("conflist", list({ type: "bridge" }, { type: "bridge-binding", mtu: 14 })), [/plugins\/1\/mtu/]);
    t.match(faults("conflist", list({ type: "sriov-vfio", spoofchk: "yes" })), [/plugins\/0\/spoofchk/]);
    t.match(faults("conflist", { ...list(), name: undefined, plugins: {} }).join(), /plugins must be array/);
  },
);

/** Words that some field takes. */
const words = fc.constantFrom(
  ...["auto", "none", "tap", "managedTap", "on", "off", "enable", "disable", "bind"],
  ...["802.1q", "802.1ad", "error", "warn", "info"],
);

/** Values that come near to what some field takes, or are that. */
const values = fc.oneof(
  { arbitrary: words, weight: 6 },
  fc.ipV4(),
  fc.ipV6(),
  fc.tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.integer({ min: 0, max: 130 })).map((both) => both.join("/")),
  fc.string({ unit: "binary", maxLength: 18 }),
  fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 15 }),
  fc.string({ unit: fc.constantFrom("0", "1", "a", "F", ":", "-", "."), maxLength: 17 }),
  fc.stringMatching(/^([0-9a-fA-F][02468ace])(:[0-9a-f]{2}){5}$/),
  fc.stringMatching(/^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/),
  fc.stringMatching(/^(\/var)?\/run\/(bridge-binding|passt-binding|sriov-vfio)(\/[a-z.]{0,4}){0,2}$/),
  fc.stringMatching(/^\/var\/log\/kubevirt-cni-bindings\/[a-z._-]{1,4}$/),
  fc.stringMatching(/^([a-z0-9]{1,5}[-_])?vfio[-_]pci$/),
  fc.integer(),
  fc.nat({ max: 5000 }),
  fc.boolean(),
  fc.tuple(fc.nat(), fc.nat()),
  fc.array(fc.record({ id: fc.integer({ min: 1, max: 4094 }) })),
  fc.array(fc.record({ minID: fc.constant(1), maxID: fc.integer({ min: 1, max: 4094 }) })),
);

for (const [type, netconf] of plugins) {
  t.test(`the schema of ${type} refuses no value of a field that the plugin takes`, async (t) => {
    const fields = Object.keys(netconf.fields());
    const taken = new Set<string>();
    fc.assert(
      fc.property(fc.constantFrom(...fields), values, (field, value) => {
        const conf = { cniVersion: "1.1.0", name: "n", type, [field]: value };
        try {
          netconf.parse(conf);
        } catch {
          return;
        }
        taken.add(field);
        const against = faults(type, conf);
        if (against.length > 0) throw new Error(`${JSON.stringify(conf)}: ${against}`);
      }),
      { numRuns: 8000 },
    );
    // vlanQoS and vlanProto need a vlan beside them.
    const never = fields.filter((field) => !taken.has(field) && !field.startsWith("vlan"));
    t.same(never, [], "each field had a value that was taken");
  });
}
