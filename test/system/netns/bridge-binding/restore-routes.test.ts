import t from "tap";
import { type Case, hundred, pair, restores, v4, v6 } from "./restoring.ts";

const routes: Record<string, Case> = {
  "DEL restores two hundred routes": {
    network: pair(
      [v4, v6],
      hundred((n) => [`10.7.${n}.0/24 via 10.0.0.1`, `fd07:${n}::/64 via fd00:9::f${n}`]),
    ),
  },
  "DEL restores default routes": { network: pair([v4, v6], ["default via 10.0.0.1", "default via fd00:9::1"]) },
  "DEL restores a route with an onlink gateway": {
    network: pair(["10.0.0.2/32"], ["default via 192.0.2.1 onlink"]),
  },
  "DEL restores a route with a gateway that another route reaches": {
    network: pair(["10.0.0.2/32", v6], ["169.254.1.1 scope link", "default via 169.254.1.1"]),
  },
  "DEL restores a route with a link-local gateway": { network: pair([v4, v6], ["default via fe80::1"]) },
  "DEL restores an IPv4 route with an IPv6 gateway": { network: pair([v4, v6], ["default via inet6 fe80::1"]) },
  "DEL restores routes with a preferred source": {
    network: pair([v4, "10.0.0.3/24", v6, "fd00:9::3/64"]),
    commands: ["route add default via 10.0.0.1 src 10.0.0.3", "route add default via fd00:9::1 src fd00:9::3"],
  },
  "DEL restores routes with metrics": {
    network: pair(
      [v4, v6],
      [
        "default via 10.0.0.1 metric 50 mtu lock 1400 advmss 1360 initcwnd 20 window 30000 rto_min 100ms",
        "default via 10.0.0.9 metric 60 mtu 1300 congctl cubic",
        "default via fd00:9::1 metric 50 mtu 1400 hoplimit 12 pref high",
      ],
    ),
  },
  "DEL restores routes with protocol, type of service and realm": {
    network: pair(
      [v4],
      ["10.7.0.0/16 via 10.0.0.1 proto static tos 0x10 realm 7", "10.7.0.0/16 via 10.0.0.9 proto dhcp"],
    ),
  },
  "DEL restores routes in other tables": {
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
  "DEL restores routes of other types": {
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
  "DEL restores multipath routes": {
    commands: [
      "route add 10.7.0.0/16 nexthop via 10.0.0.1 weight 5 nexthop via 10.0.0.3 weight 1",
      "route add fd07::/64 nexthop via fd00:9::1 weight 2 nexthop via fd00:9::3",
    ],
  },
  "DEL restores routes that also use another link": {
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
  "DEL restores routes of another link that use the pod link's address as source": {
    commands: [
      "link add other type veth peer name far",
      "link set other up",
      "link set far up",
      "route add 10.7.0.0/16 dev other src 10.0.0.2",
      "route add fd07::/64 dev other src fd00:9::2",
    ],
  },
  "DEL restores a route with a source prefix": { network: pair([v6], ["fd07::/64 from fd00:9::/64 via fd00:9::1"]) },
  "DEL restores a route with a lifetime": { network: pair([v6], ["fd07::/64 via fd00:9::1 expires 500"]) },
  "DEL restores routes on a link without a carrier": {
    network: pair([v4, v6], ["default via 10.0.0.1", "default via fd00:9::1"]),
    onNode: ["link set veth1 down"],
  },
};
t.test("DEL restores the pod's routes", (t) => restores(t, routes));

const neighbours: Record<string, Case> = {
  "DEL restores permanent neighbors": {
    commands: [
      "neigh add 10.0.0.1 lladdr 02:00:00:00:00:01 dev eth0",
      "neigh add fd00:9::1 lladdr 02:00:00:00:00:01 dev eth0",
      "neigh add fd00:9::2:1 lladdr 02:00:00:00:00:02 router dev eth0",
      "neigh add 169.254.1.1 lladdr 02:00:00:00:00:03 dev eth0 protocol static",
    ],
  },
  "DEL restores proxy neighbors": {
    commands: ["neigh add proxy 10.0.0.77 dev eth0", "neigh add proxy fd00:9::77 dev eth0"],
  },
};
t.test("DEL restores the pod's neighbors", (t) => restores(t, neighbours));
