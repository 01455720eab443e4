#!/usr/bin/env python3
"""Records rtnetlink messages: a kernel's dumps, and the requests and the JSON output of iproute2.

    unshare --net ./capture.py > linux-<version>.json       (root, python3, iproute2, strace, /dev/net/tun)

The commands below fill a new namespace.
Commands that the kernel does not support are skipped and listed. The output holds:

  dumps      by name: the datagrams of the kernel's answer in hex, and the same as iproute2's JSON
  requests   by command: the datagram with which the tool requested the change, in hex
  refusals   by command: the refused request, and the kernel's answers to it:
             with the request capped, with the whole request, and without extended ACK
"""
import json, os, platform, re, shlex, socket, struct, subprocess, sys, tempfile

SET_UP = """
ip link set lo up
ip link add d0 address 02:00:00:00:00:01 mtu 1400 type dummy
ip link add e0 address 02:00:00:00:00:01 mtu 1400 type veth peer name e1
ip link add br0 type bridge vlan_filtering 1 vlan_default_pvid 0 mcast_snooping 0 forward_delay 400
ip link add br1 address 02:00:00:00:00:0b type bridge
ip link add v0 type veth peer name v1
ip link add mv0 link e1 type macvlan mode bridge
ip link add vl0 link e1 type vlan id 7 protocol 802.1ad
ip link add iv0 link v1 type ipvlan mode l2
ip link add vx0 type vxlan id 7 dstport 4789
ip link add sit9 type sit remote 10.0.0.1
ip tuntap add tap0 mode tap user 107 group 107 vnet_hdr multi_queue
ip tuntap add tun0 mode tun
ip link property add dev e0 altname a-rather-long-alternative-name
ip link property add dev e0 altname another
ip link set dev e0 alias café group 7
ip link set dev e1 up
ip link set dev e0 up
ip link set dev v1 up
ip link set dev v0 master br0
ip link set dev v0 master br1
ip link set dev v0 up
ip link set dev tap0 master br1
ip link set dev br1 up
ip link set dev e0 name renamed
ip link set dev renamed name e0
ip link set dev v0 type bridge_slave isolated on learning off
bridge link set dev v0 isolated on learning off
ip link set dev br1 type bridge ageing_time 3000
bridge vlan add dev v0 vid 10-20
bridge vlan add dev v0 vid 5 pvid untagged
bridge vlan add dev v0 vid 4000
bridge vlan del dev v0 vid 15
bridge fdb add 02:00:00:00:00:09 dev v0 master static
ip link set dev e0 addrgenmode none
ip address add 10.0.0.2/24 brd + dev e0 label e0:one
ip address add 10.0.0.4/24 dev e0
ip address add 10.0.0.3 peer 10.0.9.9/32 dev e0
ip address add 10.0.1.2/24 dev e0 valid_lft 3600 preferred_lft 1800 noprefixroute
ip address add 10.0.2.2/24 dev e0 metric 500
ip address add fd00::2/64 dev e0 nodad
ip address add fd00:1::2/64 dev e0 nodad noprefixroute valid_lft 3600 preferred_lft 1800
ip address add 192.168.0.1/32 dev lo scope host
ip route add default via 10.0.0.1 mtu 1300 advmss 1200
ip route add 10.5.0.0/16 nexthop via 10.0.0.1 dev e0 weight 3 nexthop via 10.0.0.254 dev e0 onlink
ip route add 10.6.0.0/16 via inet6 fd00::1 dev e0
ip route add 10.7.0.0/16 via 10.0.0.1 table 1000 src 10.0.0.2 proto static metric 9
ip route add 10.7.1.0/24 dev e0 mtu lock 1280 congctl reno
ip route add 10.7.2.0/24 dev e0 scope link tos 0x10 realm 4
ip route add 192.0.2.1 via 203.0.113.1 dev e0 onlink
ip route add blackhole 10.8.0.0/16
ip route add throw 10.8.1.0/24 table 77
ip route replace default via 10.0.0.1 mtu 1300 advmss 1200
ip -6 route add default via fd00::1 dev e0 pref high
ip -6 route add fd05::/64 via fd00::1 dev e0 expires 600 metric 7
ip -6 route add fd06::/64 nexthop via fd00::1 dev e0 nexthop via fd00::3 dev e0 weight 2
ip -6 route add unreachable fd07::/64
ip route del 10.7.1.0/24
ip neighbor add 10.0.0.1 lladdr 02:00:00:00:00:fe dev e0 nud permanent
ip neighbor add fd00::1 lladdr 02:00:00:00:00:fe dev e0 nud permanent router
ip neighbor add 10.0.0.77 lladdr 02:00:00:00:00:fd dev e0 nud noarp
ip neighbor del 10.0.0.77 dev e0
ip address del 10.0.2.2/24 dev e0
ip link del vx0
"""

REFUSED = """
ip link add e0 type veth peer name e9
ip link add a-name-that-is-too-long type veth
ip link set dev e0 mtu 10
ip link set dev e0 mtu 100000
ip link set dev e1 master e0
ip link set dev e0 address 01:00:00:00:00:01
ip link set dev v0 type bridge_slave priority 4096
ip address add 10.0.0.2/24 brd + dev e0 label e0:one
ip address del 10.0.0.99/24 dev e0
ip route add 10.99.0.0/16 via 172.31.9.9
ip route add default via 10.0.0.1
ip route del 10.99.0.0/16
ip neighbor del 10.0.0.78 dev e0
"""

DUMPS = {
    # name: (message type, header and attributes of the request, iproute2's command)
    "links": (18, struct.pack("=BxHiII", 0, 0, 0, 0, 0) + struct.pack("=HHI", 8, 29, 8), "ip -d -j link"),
    "bridge ports": (18, struct.pack("=BxHiII", 7, 0, 0, 0, 0) + struct.pack("=HHI", 8, 29, 4), "bridge -d -j link"),
    "vlans": (18, struct.pack("=BxHiII", 7, 0, 0, 0, 0) + struct.pack("=HHI", 8, 29, 4), "bridge -j vlan"),
    "addresses": (22, struct.pack("=BBBBI", 0, 0, 0, 0, 0), "ip -d -j address"),
    "routes of IPv4": (26, struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 0, 0, 0, 0, 0), "ip -4 -d -j route show table all"),
    "routes of IPv6": (26, struct.pack("=BBBBBBBBI", 10, 0, 0, 0, 0, 0, 0, 0, 0), "ip -6 -d -j route show table all"),
    "neighbors": (30, struct.pack("=BxxxiHBB", 0, 0, 0, 0, 0), "ip -j neighbor show nud all"),
    "forwarding": (30, struct.pack("=BxxxiHBB", 7, 0, 0, 0, 0), "bridge -j fdb"),
}

NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK, SOL_NETLINK = 11, 10, 12, 270


def open_socket(extended=True, capped=True):
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    s.bind((0, 0))
    s.settimeout(5)
    for option, on in ((NETLINK_EXT_ACK, extended), (NETLINK_CAP_ACK, capped), (NETLINK_GET_STRICT_CHK, True)):
        s.setsockopt(SOL_NETLINK, option, int(on))
    return s


def dump(kind, body):
    """Returns the datagrams of the kernel's answer to a dump."""
    with open_socket() as s:
        s.send(struct.pack("=IHHII", 16 + len(body), kind, 0x301, 1, 0) + body)
        datagrams = []
        while True:
            datagram = s.recv(65536)
            datagrams.append(datagram)
            at = 0
            while at < len(datagram):
                length, what = struct.unpack_from("=IH", datagram, at)
                if what in (2, 3):
                    return [d.hex() for d in datagrams]
                at += (length + 3) & ~3


def requests_of(command):
    """Runs a command.

    Returns its exit status and the RTM_NEW..., RTM_DEL... and RTM_SET... datagrams that it sent.
    """
    with tempfile.NamedTemporaryFile("r") as log:
        trace = ["strace", "-o", log.name, "-e", "trace=sendmsg,sendto", "-e", "write=all", "-e", "signal=none"]
        status = subprocess.run(trace + shlex.split(command), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode
        datagrams, current = [], None
        for line in log:
            if line.startswith("send"):
                current = bytearray()
                datagrams.append(current)
            row = re.match(r" \| [0-9a-f]{5}  ((?:[0-9a-f]{2} {1,2}){1,16})", line)
            if row and current is not None:
                current += bytes.fromhex(row.group(1))
    changes = [d for d in datagrams if len(d) >= 16 and struct.unpack_from("=H", d, 4)[0] % 4 != 2]
    return status, [bytes(d).hex() for d in changes]


def answer(request, **options):
    with open_socket(**options) as s:
        s.send(request)
        return s.recv(65536).hex()


def main():
    requests, skipped = {}, []
    for command in filter(None, SET_UP.splitlines()):
        status, sent = requests_of(command)
        if status != 0:
            skipped.append(command)
        # iproute2 creates taps by ioctl, so it sends no datagram.
        # Before a change it sends an empty request to probe the kernel's features.
        if sent and bytes.fromhex(sent[-1])[16:] != bytes(16):
            requests[command] = sent[-1]
    dumps = {}
    for name, (kind, body, command) in DUMPS.items():
        datagrams = dump(kind, body)
        shown = subprocess.run(shlex.split(command), capture_output=True, text=True).stdout
        dumps[name] = {"datagrams": datagrams, "shown": [row for row in json.loads(shown or "[]") if row]}
    refusals = {}
    for command in filter(None, REFUSED.splitlines()):
        _, sent = requests_of(command)
        if sent:
            request = bytes.fromhex(sent[-1])
            refusals[command] = {
                "request": sent[-1],
                "capped": answer(request),
                "whole": answer(request, capped=False),
                "plain": answer(request, extended=False),
            }
    version = subprocess.run(["ip", "-V"], capture_output=True, text=True).stdout.strip()
    json.dump({"kernel": ".".join(platform.release().split(".")[:2]), "tools": version, "skipped": skipped, "dumps": dumps,
               "requests": requests, "refusals": refusals}, sys.stdout, indent=1)
    print()


main()
