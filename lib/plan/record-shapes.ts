// The shape of each part of a record. A new field, or a new kind of change, does not compile until
// it has one.
import { belowDeviceInfo } from "../cni/roots.ts";
import type { Change, CreateLink, SetLink, SetSysctl } from "./change.ts";
import type { BindDriver, Binding, ConfigureVf, DeviceChange, VfSettings, WriteFile } from "./device.ts";
import { addressShapes, neighborShapes, routeShapes } from "./message-shapes.ts";
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
  type Shapes,
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

const changes = {
  create: fields(create),
  set: fields(set),
  sysctl: fields(sysctl),
  configureVf: fields(configureVf),
  bindDriver: fields(bindDriver),
  file: fields(file),
} satisfies Record<Change["do"] | DeviceChange["do"], Shape>;

/** The changes of a plan for a pod. */
export const podChanges = listOf(
  variants("do", { create: changes.create, set: changes.set, sysctl: changes.sysctl } satisfies Record<
    Change["do"],
    Shape
  >),
);

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

/** A record of format 2. */
export const record = fields({
  ...common,
  plugin: text,
  kind: word("pod", "device"),
  version: text,
  pod: optional(fields({ namespace: text, name: text, uid: optional(text) })),
});

/** A record of format 1. */
export const recordOfFormat1 = fields(common);
