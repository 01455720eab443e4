import t from "tap";
import { type Case, hundred, pair, restores, v4, v6 } from "./restoring.ts";

const addresses: Record<string, Case> = {
  none: { network: pair() },
  "a /32, without any route": { network: pair(["10.0.0.2/32"]) },
  "a /128, without any route": { network: pair(["fd00:9::2/128"]) },
  "several, secondary ones of one subnet among them": {
    network: pair(["10.0.0.9/24", "10.0.0.5/24", "10.0.0.7/25", "10.0.1.1/24", "10.0.0.1/24"]),
  },
  "secondary ones that are promoted when the first goes": {
    network: pair(["10.0.0.9/24", "10.0.0.5/24", "10.0.0.1/24"]),
    sysctls: { "net/ipv4/conf/eth0/promote_secondaries": "1" },
  },
  "with a peer": { network: pair(["10.0.0.2 peer 10.0.0.1/32", "fd00:9::2 peer fd00:9::1/128"]) },
  "with a peer, given to a link that was up": {
    network: pair(),
    commands: [
      "address add 10.0.0.2 peer 10.0.0.1/32 dev eth0",
      "address add 10.0.1.2 peer 10.5.0.1/24 dev eth0",
      "address add fd00:9::2 peer fd00:9::1/128 dev eth0",
    ],
  },
  "with a peer in a subnet": { network: pair(["10.0.0.2 peer 10.5.0.1/24"]) },
  "with labels": { network: pair(["10.0.0.2/24 label eth0:one", "10.0.0.3/24 label eth0:two"]) },
  "with a broadcast address of another kind, and none": {
    network: pair(["10.0.0.2/24 broadcast 10.0.0.0", "10.0.1.2/24", "10.0.2.2/24 broadcast +"]),
  },
  "with scopes": { network: pair(["10.0.0.2/24 scope link", "10.0.1.2/24 scope host", "10.0.2.2/24 scope 200"]) },
  "with metrics": { network: pair(["10.0.0.2/24 metric 700", "fd00:9::2/64 metric 700"]) },
  "without a route of the kernel's": { network: pair(["10.0.0.2/24 noprefixroute", "fd00:9::2/64 noprefixroute"]) },
  "with flags": { network: pair(["fd00:9::2/64 nodad", "fd00:9::3/64 home", "fd00:9::4/64 mngtmpaddr"]) },
  "that join a multicast group": { network: pair([v4, "239.1.2.3/32 autojoin", "ff05::7/128 autojoin"]) },
  "by the hundred": { network: pair(hundred((n) => [`10.${n}.0.2/24`, `fd00:${n}::2/64`])) },
  "whose routes of the kernel's were removed": {
    commands: ["route del 10.0.0.0/24 dev eth0", "route del fd00:9::/64 dev eth0"],
  },
  "with a peer whose route of the kernel's was removed": {
    network: pair(["10.0.0.2 peer 10.0.0.1/32"]),
    commands: ["route del 10.0.0.1/32 dev eth0"],
  },
  "that are deprecated": { network: pair(["10.0.0.2/24 preferred_lft 0", "fd00:9::2/64 preferred_lft 0"]) },
  "that end some day": {
    network: pair(),
    commands: [
      "address add 10.0.0.2/24 dev eth0 valid_lft 500 preferred_lft 300",
      "address add fd00:9::2/64 dev eth0 valid_lft 500 preferred_lft 0",
    ],
  },
  "link-local ones by hand": {
    network: pair(["fe80::7/64", "169.254.1.1/16", v6]),
    sysctls: { "net/ipv6/conf/default/addr_gen_mode": "1" },
  },
};
t.test("ADD and DEL leave the pod's addresses as they were:", (t) => restores(t, addresses));
