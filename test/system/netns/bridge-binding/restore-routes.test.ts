import t from "tap";
import { type Case, hundred, pair, restores, v4, v6 } from "./restoring.ts";

const routes: Record<string, Case> = {
  "by the hundred": {
    network: pair(
      [v4, v6],
      hundred((n) => [`10.7.${n}.0/24 via 10.0.0.1`, `fd07:${n}::/64 via fd00:9::f${n}`]),
    ),
  },
  "the default ones": { network: pair([v4, v6], ["default via 10.0.0.1", "default via fd00:9::1"]) },
  "by a gateway that is on no subnet": {
    network: pair(["10.0.0.2/32"], ["default via 192.0.2.1 onlink"]),
  },
  "by a gateway that another route leads to": {
    network: pair(["10.0.0.2/32", v6], ["169.254.1.1 scope link", "default via 169.254.1.1"]),
  },
  "by a gateway's link-local address": { network: pair([v4, v6], ["default via fe80::1"]) },
  "an IPv4 one by an IPv6 gateway": { network: pair([v4, v6], ["default via inet6 fe80::1"]) },
  "with a preferred source": {
    network: pair([v4, "10.0.0.3/24", v6, "fd00:9::3/64"]),
    commands: ["route add default via 10.0.0.1 src 10.0.0.3", "route add default via fd00:9::1 src fd00:9::3"],
  },
  "with metrics of their own": {
    network: pair(
      [v4, v6],
      [
        "default via 10.0.0.1 metric 50 mtu lock 1400 advmss 1360 initcwnd 20 window 30000 rto_min 100ms",
        "default via 10.0.0.9 metric 60 mtu 1300 congctl cubic",
        "default via fd00:9::1 metric 50 mtu 1400 hoplimit 12 pref high",
      ],
    ),
  },
  "of several protocols, types of service and realms": {
    network: pair(
      [v4],
      ["10.7.0.0/16 via 10.0.0.1 proto static tos 0x10 realm 7", "10.7.0.0/16 via 10.0.0.9 proto dhcp"],
    ),
  },
  "in other tables": {
    network: pair(
      [v4, v6],
      [
        "10.0.0.0/24 table 100 scope link src 10.0.0.2",
        "default via 10.0.0.1 table 100",
        "default via 10.77.0.1 onlink table 200",
        "default via fd00:9::1 table 100",
        "fd00:77::/64 table 70000",
      ],
    ),
    commands: ["rule add from 10.0.0.2 table 100 priority 50", "rule add iif eth0 table 200 priority 51"],
  },
  "of other types": {
    network: pair(
      [v4, v6],
      [
        "multicast 239.0.0.0/8",
        "local 10.8.8.8/32",
        "broadcast 10.9.255.255",
        "local fd00:8::8",
        "anycast fd00:8::9",
        "throw fd00:a::/64",
      ],
    ),
    commands: ["route add blackhole 10.66.0.0/16", "route add unreachable fd66::/64"],
  },
  "by several hops": {
    commands: [
      "route add 10.7.0.0/16 nexthop via 10.0.0.1 weight 5 nexthop via 10.0.0.3 weight 1",
      "route add fd07::/64 nexthop via fd00:9::1 weight 2 nexthop via fd00:9::3",
    ],
  },
  "by another link as well": {
    commands: [
      "link add other type veth peer name far",
      "link set other up",
      "link set far up",
      "address add 10.1.0.2/24 dev other",
      "route add 10.7.0.0/16 nexthop via 10.0.0.1 dev eth0 nexthop via 10.1.0.1 dev other",
      "route add 10.8.0.0/16 via 10.1.0.1 dev other",
      "route add default via 10.1.0.1 dev other metric 100",
      "route add default via 10.0.0.1 dev eth0 metric 50",
    ],
  },
  "by another link, from an address of the pod link's": {
    commands: [
      "link add other type veth peer name far",
      "link set other up",
      "link set far up",
      "route add 10.7.0.0/16 dev other src 10.0.0.2",
      "route add fd07::/64 dev other src fd00:9::2",
    ],
  },
  "from a source": { network: pair([v6], ["fd07::/64 from fd00:9::/64 via fd00:9::1"]) },
  "that end some day": { network: pair([v6], ["fd07::/64 via fd00:9::1 expires 500"]) },
  "on a link without a carrier": {
    network: pair([v4, v6], ["default via 10.0.0.1", "default via fd00:9::1"]),
    onNode: ["link set veth1 down"],
  },
};
t.test("ADD and DEL leave the pod's routes as they were:", (t) => restores(t, routes));

const neighbours: Record<string, Case> = {
  "permanent ones": {
    commands: [
      "neigh add 10.0.0.1 lladdr 02:00:00:00:00:01 dev eth0",
      "neigh add fd00:9::1 lladdr 02:00:00:00:00:01 dev eth0",
      "neigh add fd00:9::2:1 lladdr 02:00:00:00:00:02 router dev eth0",
      "neigh add 169.254.1.1 lladdr 02:00:00:00:00:03 dev eth0 protocol static",
    ],
  },
  "those of other hosts that the pod answers for": {
    commands: ["neigh add proxy 10.0.0.77 dev eth0", "neigh add proxy fd00:9::77 dev eth0"],
  },
};
t.test("ADD and DEL leave the pod's neighbours as they were:", (t) => restores(t, neighbours));
