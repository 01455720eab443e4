import t from "tap";
import { defaulted, defineSchema, optional, required } from "../../../lib/cni/netconf.ts";
import { fieldTable, jsonSchema } from "../../../lib/cni/netconf-schema.ts";
import {
  cidr,
  either,
  flag,
  integer,
  list,
  mac,
  maybe,
  object,
  oneOf,
  pair,
  pciAddress,
  text,
} from "../../../lib/cni/schemas.ts";

const netconf = defineSchema(() => ({
  deviceID: required(pciAddress),
  mtu: optional(() => integer({ min: 68, max: 65535, unit: "bytes" })),
  attachment: defaulted("tap", () => oneOf("tap", "managedTap")),
  address: defaulted("auto", () => either(oneOf("auto"), cidr())),
  trunk: optional(() => list(object({ id: integer({ min: 1, max: 4094 }), note: maybe(text()) }), { max: 3 })),
  groups: defaulted([1, 2], () => pair(integer({ min: 0, max: 9 }))),
  loud: defaulted(false, flag),
  mac: optional(mac),
}));
const descriptions = {
  deviceID: "the device",
  mtu: "a",
  attachment: "b",
  address: "c",
  trunk: "d",
  groups: "g",
  loud: "e",
  mac: "f",
};

t.test("fieldTable returns a Markdown table of a schema's fields", async (t) => {
  t.equal(
    fieldTable(netconf, descriptions),
    [
      "| Field | Value | Default | Meaning |",
      "|---|---|---|---|",
      "| `deviceID` | PCI address | required | the device |",
      "| `mtu` | 68–65535 | – | a |",
      '| `attachment` | `"tap"` or `"managedTap"` | `"tap"` | b |',
      '| `address` | `"auto"` or address/prefix length | `"auto"` | c |',
      "| `trunk` | list of up to 3 × `{id: 1–4094, note?: text}` | – | d |",
      "| `groups` | `[0–9, 0–9]` | `[1,2]` | g |",
      "| `loud` | true or false | `false` | e |",
      "| `mac` | MAC address | – | f |",
      '| `logLevel` | `"error"` or `"warn"` or `"info"` | `"warn"` | which calls are logged on standard error, one line each: failures, also successes with a warning, or all |',
      "| `logFile` | file in `/var/log/kubevirt-cni-bindings` | – | a file to which the same lines are appended |",
      "",
    ].join("\n"),
  );
});

t.test("jsonSchema allows the fields of a schema, the standard fields and no others", async (t) => {
  t.match(jsonSchema("note", netconf, descriptions), {
    title: "note",
    properties: {
      cniVersion: { type: "string" },
      prevResult: { type: "object" },
      deviceID: { type: "string", pattern: /0-7/, format: undefined, description: "the device" },
      type: { const: "note" },
      mtu: { type: "integer", minimum: 68, maximum: 65535 },
      attachment: { enum: ["tap", "managedTap"], default: "tap" },
      loud: { type: "boolean", default: false },
    },
    required: ["cniVersion", "name", "type", "deviceID"],
    additionalProperties: false,
  });
});

t.test("a field without a description and a description without a field are refused", async (t) => {
  const { mac: _, ...fewer } = descriptions;
  for (const make of [fieldTable, (...args: Parameters<typeof fieldTable>) => jsonSchema("note", ...args)]) {
    t.throws(() => make(netconf, fewer), { message: "mac: has no description" });
    t.throws(() => make(netconf, { ...descriptions, vlan: "g" }), {
      message: "vlan: has a description, but is no field",
    });
  }
});
