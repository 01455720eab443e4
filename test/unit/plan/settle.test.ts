import t from "tap";
import type { Change } from "../../../lib/plan/change.ts";
import { markOf } from "../../../lib/plan/mark.ts";
import * as objects from "../../../lib/plan/objects.ts";
import { settled } from "../../../lib/plan/settle.ts";
import type { Address, KernelRoute, LinkSettings, Neighbor, State } from "../../../lib/plan/state.ts";
import { address, dummy, link, pod, route } from "./pods.ts";

const gateway: Neighbor = objects.neighbor({ ip: "10.244.0.1", mac: "02:00:00:00:00:01" });
const eth0 = link({
  name: "eth0",
  index: 2,
  addresses: [address("10.244.0.7/24"), address("fd00::7/64")],
  routes: [route("0.0.0.0/0", "10.244.0.1"), route("::/0", "fd00::1")],
  neighbors: [gateway],
});
const state: State = pod([eth0], { "net.a": "0" });

function settle(...changes: Change[]): Change[] {
  return settled({ changes, state }).changes as Change[];
}

/** Returns the settled `from` and `to` of a change of eth0. */
function settledLink(
  to: Partial<LinkSettings>,
  from: Partial<LinkSettings> = {},
): { from: LinkSettings; to: LinkSettings } {
  const change = objects.changed(eth0, to);
  const [found] = settle({ ...change, from: { ...change.from, ...from } });
  if (found?.do !== "set") throw new Error("no change of a link");
  return found;
}

const withRoute = (more: Partial<KernelRoute>): Partial<LinkSettings> => ({
  routes: [...eth0.routes, { ...objects.route({ to: "10.9.0.0/16" }), ...more }],
});
const withRoute6 = (more: Partial<KernelRoute>): Partial<LinkSettings> => ({
  routes: [...eth0.routes, { ...objects.route({ to: "fd09::/16" }), ...more }],
});
const withAddress = (text: string, more: Partial<Address> = {}): Partial<LinkSettings> => ({
  addresses: [...eth0.addresses, { ...objects.address(text), ...more }],
});
const withNeighbor = (more: Partial<Neighbor>): Partial<LinkSettings> => ({
  neighbors: [...eth0.neighbors, { ...gateway, destination: "10.244.0.9", ...more }],
});

t.test("a plan that the kernel would refuse, ignore or change is refused with the field's name", async (t) => {
  const on = "eth0: route 10.9.0.0/16";
  const on6 = "eth0: route fd09::/16";
  const cases: [Partial<LinkSettings>, string][] = [
    [withRoute({ destination: "10.9.0.1" }), "eth0: route 10.9.0.1/16: destination is 10.9.0.1, expected 10.9.0.0"],
    [withRoute({ destination: "10.9.0" }), "eth0: route 10.9.0/16: destination is 10.9.0, expected an IPv4 address"],
    [withRoute({ destinationLength: 33 }), "eth0: route 10.9.0.0/33: destinationLength is 33, expected 0 to 32"],
    [withRoute({ family: 7 }), `${on}: family is 7, expected 2 or 10`],
    [withRoute({ type: 6 }), `${on}: type is 6, expected 1 or 2`],
    [withRoute({ tos: 1 }), `${on}: tos is 1, expected a DSCP: the two lowest bits are 0`],
    [withRoute({ oif: 7 }), `${on}: oif is 7, expected 2, the link's index`],
    [withRoute({ protocol: 2 }), `${on}: protocol is 2, expected another one than the kernel's own`],
    [withRoute({ expires: 9 }), `${on}: expires is 9, expected no such field here`],
    [withRoute({ nexthop: 1 }), `${on}: nexthop is 1, expected no such field here`],
    [withRoute({ preference: 1 }), `${on}: preference is 1, expected no such field here`],
    [withRoute({ flags: 4 }), `${on}: flags is 4, expected 0 without a gateway`],
    [withRoute({ metrics: { hopLimit: 256 } }), `${on}: metrics.hopLimit is 256, expected 0 to 255`],
    [
      withRoute({ gateway: "fd00::1" }),
      "eth0: route 10.9.0.0/16 via fd00::1: gateway is fd00::1, expected an IPv4 address",
    ],
    [withRoute({ metric: 2 ** 32 }), `${on}: metric is 4294967296, expected 0 to 4294967295`],
    [withRoute6({ tos: 4 }), `${on6}: tos is 4, expected 0 to 0`],
    [withRoute6({ preference: 2 }), `${on6}: preference is 2, expected 0 or 1 or 3`],
    [
      withRoute6({ via: { family: 2, address: "10.0.0.1" } }),
      `${on6}: via is {"family":2,"address":"10.0.0.1"}, expected no such field here`,
    ],
    [withAddress("10.0.0.300/24"), "eth0: address 10.0.0.300/24: local is 10.0.0.300, expected an IPv4 address"],
    [withAddress("ff05::1/64"), "eth0: address ff05::1/64: local is ff05::1, expected the address of a host"],
    [withAddress("::/64"), "eth0: address ::/64: local is ::, expected the address of a host"],
    [withAddress("10.0.0.1/33"), "eth0: address 10.0.0.1/33: prefixLength is 33, expected 0 to 32"],
    [
      withAddress("10.244.0.9/24", { prefixRoute: false }),
      "eth0: address 10.244.0.9/24: prefixRoute is false, expected true, as that of 10.244.0.7/24 in the same network",
    ],
    [
      withNeighbor({ mac: "02:00" }),
      "eth0: neighbor 10.244.0.9 at 02:00: mac is 02:00, expected a MAC address such as 02:00:00:00:00:01",
    ],
    [withNeighbor({ state: 2 }), "eth0: neighbor 10.244.0.9 at 02:00:00:00:00:01: state is 2, expected 128 or 64"],
    [withNeighbor({ flags: 2 }), "eth0: neighbor 10.244.0.9 at 02:00:00:00:00:01: flags is 2, expected 0 or 8"],
    [{ mtu: 1279 }, "eth0: address fd00::7/64: IPv6 needs an MTU of 1280, not 1279; leave it out of the plan's to"],
    [{ ipv6: false }, "eth0: address fd00::7/64: IPv6 is off; leave it out of the plan's to"],
    [{ up: false }, "eth0: route default via 10.244.0.1: eth0 is down; leave it out of the plan's to"],
    [{ mtu: -1, addresses: [], routes: [] }, "plan: changes[0].to.mtu is -1, expected a whole number"],
    [{ name: "a/b" }, 'plan: changes[0].to.name is "a/b", expected a link\'s name'],
  ];
  for (const [to, message] of cases) t.throws(() => settledLink(to), { message }, message);
  const one = objects.changed(eth0, {});
  t.throws(() => settle({ ...one, to: { ...one.to, ipv6Mtu: 1451 } }), {
    message: "eth0: ipv6Mtu is 1451, expected at most 1450, the link's MTU",
  });
});

t.test("an object that excludes one of the pod's objects is refused", async (t) => {
  const beside = (one: string, other: string): string =>
    `eth0: ${one}: the kernel cannot have it next to ${other}; remove one`;
  const cases: [Partial<LinkSettings>, string][] = [
    [
      { routes: [...eth0.routes, objects.route({ to: "0.0.0.0/0", via: "10.244.0.9", metric: 0 })] },
      beside("route default via 10.244.0.9", "route default via 10.244.0.1"),
    ],
    [
      { routes: [...eth0.routes, objects.route({ to: "::/0", via: "FD00::9" })] },
      beside("route default via fd00::9", "route default via fd00::1"),
    ],
    [withAddress("FD00:0::7/128"), beside("address fd00::7/128", "address fd00::7/64")],
    [
      withNeighbor({ destination: "10.244.0.1", mac: "02:00:00:00:00:02" }),
      beside("neighbor 10.244.0.1 at 02:00:00:00:00:02", "neighbor 10.244.0.1 at 02:00:00:00:00:01"),
    ],
  ];
  for (const [to, message] of cases) t.throws(() => settledLink(to), { message }, message);
});

t.test("an object that replaces one of the pod's objects is accepted", async (t) => {
  const replaced = objects.route({ to: "0.0.0.0/0", via: "10.244.0.9" });
  const { from, to } = settledLink({ routes: [eth0.routes[1]!, replaced] });
  t.same(from.routes, eth0.routes);
  t.match(to.routes, [{ metric: 1024 }, { gateway: "10.244.0.9", oif: 2 }]);
});

t.test("a from that differs from the observed state is refused with both values", async (t) => {
  for (const [from, message] of [
    [{ mtu: 1300 }, "eth0: mtu is 1450, but the plan's from says 1300"],
    [{ name: "eth1" }, "eth0: name is eth0, but the plan's from says eth1"],
    [{ up: false }, "eth0: up is true, but the plan's from says false"],
    [{ master: "br0" }, "eth0: master is absent, but the plan's from says br0"],
    [{ ipv6Mtu: 1300 }, "eth0: ipv6Mtu is absent, but the plan's from says 1300"],
    [
      { routes: [...eth0.routes, route("10.8.0.0/16")] },
      "eth0: route 10.8.0.0/16: is in the plan's from, but was not observed",
    ],
  ] as [Partial<LinkSettings>, string][])
    t.throws(() => settledLink({ mtu: 1400 }, from), { message }, message);
});

t.test("a from that leaves out what stays is completed, so that DEL does not remove it", async (t) => {
  const { from, to } = settledLink(withRoute({}), { routes: [], addresses: [], neighbors: [] });
  t.same(from.routes, eth0.routes);
  t.equal(to.routes.length, 3);
  t.same([from.addresses, from.neighbors], [eth0.addresses, eth0.neighbors]);
});

t.test("a sysctl that was not observed, or otherwise, is refused", async (t) => {
  t.throws(() => settle({ do: "sysctl", key: "net.b", from: "0", to: "1" }), { message: /^net.b: was not observed; / });
  t.throws(() => settle({ do: "sysctl", key: "net.a", from: "2", to: "1" }), {
    message: "net.a: is 0, but the plan's from says 2",
  });
  t.same(settle({ do: "sysctl", key: "net.a", from: "0", to: " 1\t 2 " }), [
    { do: "sysctl", key: "net.a", from: "0", to: "1 2" },
  ]);
});

t.test("two changes of one object, a foreign mark and a link that was not observed are refused", async (t) => {
  const one = objects.changed(eth0, { mtu: 1400 });
  t.throws(() => settle(one, one), { message: "eth0: is changed twice in one plan; join the two changes" });
  const set = objects.sysctl("net.a", "1", state);
  t.throws(() => settle(set, set), { message: "net.a: is changed twice in one plan; join the two changes" });
  t.throws(() => settle({ ...one, index: 9 }), { message: "eth0: the link with index 9 was not observed" });
  t.throws(() => settle({ do: "create", link: dummy({ name: "new0", mark: 0 }) }), {
    message: "new0: mark is 0, expected one of markOf",
  });
  const made = dummy({ name: "new0", mark: markOf(2) });
  const left = { ...state, links: [...state.links, link({ name: "new0", index: 9, mark: markOf(2) })] };
  t.throws(() => settled({ changes: [{ do: "create", link: made }], state: left }), {
    message: /^new0: exists already/,
  });
});
