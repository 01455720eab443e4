import t from "tap";
import { type Case, pair, restores, v4, v6 } from "./restoring.ts";

const networks: Record<string, Case> = Object.fromEntries(
  (["bridge", "ptp", "macvlan"] as const).flatMap((kind) =>
    (["ipv4", "ipv6", "dual"] as const).map((families) => [
      `DEL restores a ${kind} network, ${families}`,
      { network: { kind, families } },
    ]),
  ),
);
t.test("DEL restores every kind of network", (t) => restores(t, networks));

const links: Record<string, Case> = {
  "DEL restores a link that is down": { network: pair([v4, v6]), commands: ["link set eth0 down"] },
  "DEL restores a link that got addresses while it was down": {
    commands: ["link set eth0 down", "address add 10.3.0.2/24 dev eth0", "address add fd00:3::2/64 dev eth0"],
  },
  "DEL restores a link that is down with keep_addr_on_down": {
    // Without duplicate address detection the kernel treats these addresses differently from new
    // ones. No other program can tell them apart, so the test turns the detection on.
    sysctls: { "net/ipv6/conf/default/accept_dad": "1", "net/ipv6/conf/eth0/keep_addr_on_down": "1" },
    commands: ["link set eth0 down"],
    // The kernel leaves this multicast group when the link goes down. It joins the group again when
    // DEL adds the address.
    except: /^[-+] fdb .* mac=33:33:ff:00:00:02 /,
  },
  "DEL restores a link with its own MAC and MTU": { network: pair([v4], [], { mac: "02:00:00:00:00:77", mtu: 9000 }) },
  "DEL restores a link with unusual flags, altname and group": {
    commands: [
      "link set eth0 promisc on allmulticast on multicast off arp off txqueuelen 7 alias seven",
      "link property add dev eth0 altname uplink-of-the-pod",
      "link set eth0 group 42",
    ],
  },
  "DEL restores a link with its own sysctls": {
    sysctls: {
      "net/ipv4/conf/eth0/rp_filter": "2",
      "net/ipv4/conf/eth0/arp_ignore": "3",
      "net/ipv4/conf/eth0/forwarding": "1",
      "net/ipv6/conf/eth0/accept_ra": "0",
      "net/ipv6/conf/eth0/forwarding": "1",
      "net/ipv6/conf/eth0/use_tempaddr": "2",
      "net/ipv6/neigh/eth0/gc_stale_time": "77",
    },
  },
  "DEL restores a link with a smaller MTU for IPv6": { sysctls: { "net/ipv6/conf/eth0/mtu": "1400" } },
  "DEL restores a link without IPv6": { network: pair([v4]), sysctls: { "net/ipv6/conf/eth0/disable_ipv6": "1" } },
  "DEL restores a link in a pod without IPv6": {
    network: pair([v4]),
    sysctls: { "net/ipv6/conf/all/disable_ipv6": "1" },
  },
  "DEL restores a link with a stable-privacy link-local address": {
    sysctls: {
      "net/ipv6/conf/default/stable_secret": "2001:db8::1",
      "net/ipv6/conf/default/addr_gen_mode": "2",
    },
  },
  "DEL restores a link in a pod with arp_ignore 2": { sysctls: { "net/ipv4/conf/all/arp_ignore": "2" } },
  "DEL restores a link with an MTU too small for IPv6": { network: pair([v4], [], { mtu: 1000 }) },
};
t.test("DEL restores the pod link", (t) => restores(t, links));
