// Decodes the record of an attachment. What DEL undoes with root's rights is read from here: a
// record that no plugin can have written is refused.
import { belowDeviceInfo } from "../cni/roots.ts";
import { FactError } from "../fact.ts";
import type { AddressMessage } from "../netlink/route/address.ts";
import type { NeighborMessage } from "../netlink/route/neighbor.ts";
import type { RouteMessage } from "../netlink/route/route.ts";
import type { Change, CreateLink, SetLink, SetSysctl } from "./change.ts";
import type { BindDriver, Binding, ConfigureVf, DeviceChange, VfSettings, WriteFile } from "./device.ts";
import type { Entry } from "./entry.ts";
import {
  count,
  fields,
  flag,
  listOf,
  mapOf,
  matching,
  of,
  optional,
  type Shape,
  text,
  time,
  variants,
  word,
} from "./shape.ts";
import type {
  Address,
  BridgeSettings,
  LinkSettings,
  NewBridge,
  NewDummy,
  NewTap,
  ObservedLink,
  PortSettings,
  PortVlan,
} from "./state.ts";

/** A shape for each field of `T`: a new field does not compile until it has one. */
type Shapes<T> = { readonly [K in keyof Required<T>]: Shape };

// As in the kernel (dev_valid_name), as far as a name is part of a path.
const linkName = matching(/^(?!\.{1,2}$)[^/\0]{1,15}$/, "a link's name");
const pci = matching(/^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/, "a PCI address");
const driver = matching(/^[A-Za-z0-9_.-]{1,64}$/, "the name of a driver");
const mac = matching(/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/, "a MAC address");
const sysctlKey = matching(/^net\.[^/\0]+$/, "a sysctl of a network namespace");
const deviceInfoPath = of(
  (path) => typeof path === "string" && belowDeviceInfo(path) !== undefined,
  "a file of device information",
);

/** Attributes that no table names: their types, and their payloads in hex. */
const rest = optional(
  listOf(listOf(of((part) => typeof part === "string" || typeof part === "number", "a type or hex"))),
);

const lifetime = fields({ preferred: count, valid: count });

const addressShapes: Shapes<Omit<AddressMessage, "index">> = {
  family: count,
  prefixLength: count,
  flags: count,
  scope: count,
  address: optional(text),
  local: optional(text),
  label: optional(text),
  broadcast: optional(text),
  anycast: optional(text),
  lifetime: optional(lifetime),
  multicast: optional(text),
  routePriority: optional(count),
  protocol: optional(count),
  rest,
};

const gateway = fields({ family: count, address: text });

const routeShapes: Shapes<RouteMessage> = {
  family: count,
  destinationLength: count,
  sourceLength: count,
  tos: count,
  table: count,
  protocol: count,
  scope: count,
  type: count,
  flags: count,
  destination: optional(text),
  source: optional(text),
  iif: optional(count),
  oif: optional(count),
  gateway: optional(text),
  metric: optional(count),
  preferredSource: optional(text),
  metrics: optional(
    fields({
      lock: optional(count),
      mtu: optional(count),
      advmss: optional(count),
      hopLimit: optional(count),
      congestionControl: optional(text),
      rest,
    }),
  ),
  hops: optional(
    listOf(
      fields({
        flags: count,
        extraWeight: count,
        index: count,
        gateway: optional(text),
        realm: optional(count),
        via: optional(gateway),
        rest,
      }),
    ),
  ),
  realm: optional(count),
  mark: optional(count),
  via: optional(gateway),
  preference: optional(count),
  expires: optional(count),
  nexthop: optional(count),
  rest,
};

const neighborShapes: Shapes<Omit<NeighborMessage, "index">> = {
  family: count,
  state: count,
  flags: count,
  type: count,
  destination: optional(text),
  mac: optional(text),
  vlan: optional(count),
  port: optional(count),
  vni: optional(count),
  ifindex: optional(count),
  master: optional(count),
  protocol: optional(count),
  extendedFlags: optional(count),
  rest,
};

const vlanShapes: Shapes<PortVlan> = { first: count, last: count, pvid: flag, untagged: flag };

const portShapes: Shapes<PortSettings> = {
  learning: flag,
  isolated: flag,
  vlans: listOf(fields(vlanShapes)),
  stations: listOf(mac),
};

const addressOf: Shapes<Address> = { message: fields(addressShapes), prefixRoute: flag, duplicate: optional(flag) };

const sysctls = optional(mapOf(sysctlKey, text));

const settingsShapes: Shapes<LinkSettings> = {
  name: linkName,
  mac: optional(text),
  mtu: count,
  up: flag,
  master: optional(linkName),
  ipv6: optional(flag),
  ipv6Mtu: optional(count),
  port: optional(fields(portShapes)),
  addresses: listOf(fields(addressOf)),
  routes: listOf(fields(routeShapes)),
  neighbors: listOf(fields(neighborShapes)),
};

const bridgeShapes: Shapes<BridgeSettings> = { vlanFiltering: flag };

const bridge: Shapes<NewBridge> = {
  ...settingsShapes,
  mark: count,
  sysctls,
  kind: word("bridge"),
  bridge: optional(fields(bridgeShapes)),
};

const tap: Shapes<NewTap> = {
  ...settingsShapes,
  mark: count,
  sysctls,
  kind: word("tap"),
  tap: fields({ owner: count, group: count, multiQueue: flag, selinuxContext: optional(text) }),
};

const dummy: Shapes<NewDummy> = { ...settingsShapes, mark: count, sysctls, kind: word("dummy") };

const newLink = variants("kind", { bridge: fields(bridge), tap: fields(tap), dummy: fields(dummy) });

const create: Shapes<CreateLink> = { do: word("create"), link: newLink };

// A plan may take over everything that was observed of the link.
const observed: Shapes<ObservedLink> = {
  ...settingsShapes,
  index: optional(count),
  kind: optional(text),
  mark: optional(count),
  uppers: optional(listOf(text)),
  standing: optional(listOf(text)),
  nexthops: optional(listOf(count)),
  otherNames: optional(listOf(text)),
  parent: optional(text),
  bridge: optional(fields(bridgeShapes)),
  tap: optional(fields({ owner: optional(count), group: optional(count), multiQueue: flag })),
};

const set: Shapes<SetLink> = { do: word("set"), index: count, from: fields(observed), to: fields(observed) };

const sysctl: Shapes<SetSysctl> = { do: word("sysctl"), key: sysctlKey, from: text, to: text };

const vfShapes: Shapes<VfSettings> = {
  mac: optional(mac),
  vlan: optional(fields({ id: count, qos: count, protocol: word("802.1q", "802.1ad") })),
  rate: optional(fields({ least: count, most: count })),
  spoofCheck: optional(flag),
  trust: optional(flag),
  linkState: optional(word("auto", "enable", "disable")),
};

const configureVf: Shapes<ConfigureVf> = {
  do: word("configureVf"),
  pf: pci,
  index: count,
  from: fields(vfShapes),
  to: fields(vfShapes),
  picked: optional(flag),
};

const binding: Shapes<Binding> = { driver: optional(driver), override: optional(driver) };

const bindDriver: Shapes<BindDriver> = {
  do: word("bindDriver"),
  device: pci,
  from: fields(binding),
  to: fields({ driver }),
  links: listOf(linkName),
};

const file: Shapes<WriteFile> = { do: word("file"), path: deviceInfoPath, from: optional(text), to: text };

/** A shape for each kind of change: a new kind does not compile until it has one. */
const changes = {
  create: fields(create),
  set: fields(set),
  sysctl: fields(sysctl),
  configureVf: fields(configureVf),
  bindDriver: fields(bindDriver),
  file: fields(file),
} satisfies Record<Change["do"] | DeviceChange["do"], Shape>;

const identity = { device: count, inode: count, cookie: optional(text), boot: optional(text) };

/** The fields that records of every format have. */
const common = {
  format: count,
  network: text,
  containerId: text,
  ifname: text,
  netns: fields({ path: text, ...identity }),
  time,
  changes: listOf(variants("do", changes)),
  device: optional(fields({ address: pci, ...identity })),
};

const record = fields({
  ...common,
  plugin: text,
  kind: word("pod", "device"),
  version: text,
  pod: optional(fields({ namespace: text, name: text, uid: optional(text) })),
});

const recordOfFormat1 = fields(common);

/** The file format that this version writes. Format 1 (version 0.1.0) is read. */
export const format = 2;

/** What the records of one plugin may contain. */
export interface RecordRules {
  /** Absent: any plugin, for the records of another plugin in the same pod. */
  readonly plugin?: string;
  /** Default: all. */
  readonly changes?: readonly string[];
  /** The sysctls that the plugin changes. Default: all of a network namespace. */
  readonly sysctls?: RegExp;
}

/**
 * Decodes a record.
 *
 * @throws FactError that names the field if the record is damaged, if a version with another format
 *   wrote it, or if it holds what this plugin never records
 */
export function decodeRecord(path: string, source: string, rules: RecordRules): Entry<unknown> {
  let value: { readonly format?: unknown };
  try {
    value = JSON.parse(source) ?? {};
  } catch (failure) {
    throw new FactError(path, `is not a record: it does not parse: ${(failure as Error).message}`);
  }
  if (value.format !== format && value.format !== 1)
    throw new FactError(
      path,
      `has format ${JSON.stringify(value.format)}, expected ${format}; DEL the attachment with the version that wrote it`,
    );
  const fault = (value.format === 1 ? recordOfFormat1 : record)(value);
  if (fault !== undefined) throw new FactError(path, `is not a record of this version: ${fault.replace(/^\./, "")}`);
  const entry = value as unknown as Entry<Change | DeviceChange> & { readonly plugin?: string };
  const foreign = foreignPart(entry, rules);
  if (foreign !== undefined) throw new FactError(path, foreign);
  return entry;
}

function foreignPart(
  { plugin, changes }: Entry<Change | DeviceChange> & { readonly plugin?: string },
  rules: RecordRules,
): string | undefined {
  if (plugin !== undefined && rules.plugin !== undefined && plugin !== rules.plugin)
    return `is a record of ${JSON.stringify(plugin)}, expected one of ${rules.plugin}`;
  for (const [position, change] of changes.entries()) {
    if (rules.changes?.includes(change.do) === false)
      return `changes[${position}] is a change of kind ${change.do}, which ${rules.plugin} never makes`;
    if (change.do === "sysctl" && rules.sysctls?.test(change.key) === false)
      return `changes[${position}] has the key ${JSON.stringify(change.key)}, which ${rules.plugin} never changes`;
  }
  return undefined;
}
