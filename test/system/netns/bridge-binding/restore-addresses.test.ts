import t from "tap";
import { type Case, hundred, pair, restores, v4, v6 } from "./restoring.ts";

const addresses: Record<string, Case> = {
  "DEL restores a pod link without addresses": { network: pair() },
  "DEL restores a /32 without any route": { network: pair(["10.0.0.2/32"]) },
  "DEL restores a /128 without any route": { network: pair(["fd00:9::2/128"]) },
  "DEL restores several addresses, including secondary ones": {
    network: pair(["10.0.0.9/24", "10.0.0.5/24", "10.0.0.7/25", "10.0.1.1/24", "10.0.0.1/24"]),
  },
  "DEL restores secondary addresses that promote_secondaries would promote": {
    network: pair(["10.0.0.9/24", "10.0.0.5/24", "10.0.0.1/24"]),
    sysctls: { "net/ipv4/conf/eth0/promote_secondaries": "1" },
  },
  "DEL restores addresses with a peer": {
    network: pair(["10.0.0.2 peer 10.0.0.1/32", "fd00:9::2 peer fd00:9::1/128"]),
  },
  "DEL restores addresses with a peer, added to a link that is up": {
    network: pair(),
    commands: [
      "address add 10.0.0.2 peer 10.0.0.1/32 dev eth0",
      "address add 10.0.1.2 peer 10.5.0.1/24 dev eth0",
      "address add fd00:9::2 peer fd00:9::1/128 dev eth0",
    ],
  },
  "DEL restores an address with a peer in a subnet": { network: pair(["10.0.0.2 peer 10.5.0.1/24"]) },
  "DEL restores addresses with labels": { network: pair(["10.0.0.2/24 label eth0:one", "10.0.0.3/24 label eth0:two"]) },
  "DEL restores unusual broadcast addresses": {
    network: pair(["10.0.0.2/24 broadcast 10.0.0.0", "10.0.1.2/24", "10.0.2.2/24 broadcast +"]),
  },
  "DEL restores addresses with scopes": {
    network: pair(["10.0.0.2/24 scope link", "10.0.1.2/24 scope host", "10.0.2.2/24 scope 200"]),
  },
  "DEL restores addresses with metrics": { network: pair(["10.0.0.2/24 metric 700", "fd00:9::2/64 metric 700"]) },
  "DEL restores addresses with noprefixroute": {
    network: pair(["10.0.0.2/24 noprefixroute", "fd00:9::2/64 noprefixroute"]),
  },
  "DEL restores addresses with flags": {
    network: pair(["fd00:9::2/64 nodad", "fd00:9::3/64 home", "fd00:9::4/64 mngtmpaddr"]),
  },
  "DEL restores addresses that join a multicast group": {
    network: pair([v4, "239.1.2.3/32 autojoin", "ff05::7/128 autojoin"]),
  },
  "DEL restores two hundred addresses": { network: pair(hundred((n) => [`10.${n}.0.2/24`, `fd00:${n}::2/64`])) },
  "DEL restores addresses without their removed prefix routes": {
    commands: ["route del 10.0.0.0/24 dev eth0", "route del fd00:9::/64 dev eth0"],
  },
  "DEL restores an address without the removed route to its peer": {
    network: pair(["10.0.0.2 peer 10.0.0.1/32"]),
    commands: ["route del 10.0.0.1/32 dev eth0"],
  },
  "DEL restores deprecated addresses": {
    network: pair(["10.0.0.2/24 preferred_lft 0", "fd00:9::2/64 preferred_lft 0"]),
  },
  "DEL restores addresses with lifetimes": {
    network: pair(),
    commands: [
      "address add 10.0.0.2/24 dev eth0 valid_lft 500 preferred_lft 300",
      "address add fd00:9::2/64 dev eth0 valid_lft 500 preferred_lft 0",
    ],
  },
  "DEL restores link-local addresses that an operator added": {
    network: pair(["fe80::7/64", "169.254.1.1/16", v6]),
    sysctls: { "net/ipv6/conf/default/addr_gen_mode": "1" },
  },
};
t.test("DEL restores the pod's addresses", (t) => restores(t, addresses));
