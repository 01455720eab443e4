import t from "tap";
import { type Case, pair, restores, v4, v6 } from "./restoring.ts";

const networks: Record<string, Case> = Object.fromEntries(
  (["bridge", "ptp", "macvlan"] as const).flatMap((kind) =>
    (["ipv4", "ipv6", "dual"] as const).map((families) => [`${kind}, ${families}`, { network: { kind, families } }]),
  ),
);
t.test("ADD and DEL leave the pod's networks as they were:", (t) => restores(t, networks));

const links: Record<string, Case> = {
  "one that is down": { network: pair([v4, v6]), commands: ["link set eth0 down"] },
  "one that is down, which was given an address since": {
    commands: ["link set eth0 down", "address add 10.3.0.2/24 dev eth0", "address add fd00:3::2/64 dev eth0"],
  },
  "one that is down, whose IPv6 addresses stay": {
    // Without duplicate address detection the kernel tells such addresses from new ones, which
    // nobody else can.
    sysctls: { "net/ipv6/conf/default/accept_dad": "1", "net/ipv6/conf/eth0/keep_addr_on_down": "1" },
    commands: ["link set eth0 down"],
    // The kernel leaves this group when the link goes down, and joins it again for an address that
    // comes later.
    except: /^[-+] fdb .* mac=33:33:ff:00:00:02 /,
  },
  "one with a MAC and an MTU of its own": { network: pair([v4], [], { mac: "02:00:00:00:00:77", mtu: 9000 }) },
  "one with odd settings": {
    commands: [
      "link set eth0 promisc on allmulticast on multicast off arp off txqueuelen 7 alias seven",
      "link property add dev eth0 altname uplink-of-the-pod",
      "link set eth0 group 42",
    ],
  },
  "one with sysctls of its own": {
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
  "one whose MTU is smaller for IPv6": { sysctls: { "net/ipv6/conf/eth0/mtu": "1400" } },
  "one without IPv6": { network: pair([v4]), sysctls: { "net/ipv6/conf/eth0/disable_ipv6": "1" } },
  "one in a pod without IPv6": { network: pair([v4]), sysctls: { "net/ipv6/conf/all/disable_ipv6": "1" } },
  "one whose link-local address is a stable secret one": {
    sysctls: {
      "net/ipv6/conf/default/stable_secret": "2001:db8::1",
      "net/ipv6/conf/default/addr_gen_mode": "2",
    },
  },
  "one that answers for no address": { sysctls: { "net/ipv4/conf/all/arp_ignore": "2" } },
  "one with an MTU too small for IPv6": { network: pair([v4], [], { mtu: 1000 }) },
};
t.test("ADD and DEL leave the pod link as it was:", (t) => restores(t, links));
