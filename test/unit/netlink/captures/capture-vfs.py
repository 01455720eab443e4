#!/usr/bin/python3
"""Records rtnetlink messages about VFs: a kernel's reports and the requests of `ip` (iproute2).

    test/lab/vm/run --out DIRECTORY -- sh -c 'modprobe igb; modprobe igbvf; exec test/unit/netlink/captures/capture-vfs.py $LAB_OUT/vfs-<version>.json'

Requires a machine with two igb NICs with SR-IOV, eth0 and eth1 (test/lab/vm), iproute2 and strace.
The output holds:

  states     by name: the answer to RTM_GETLINK with RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS
             in hex, and the same as iproute2's JSON
  requests   by command: the datagram with which ip requested the change, in hex
  refusals   by command: the refused request, and the kernel's answer to it
"""
import json, platform, re, shlex, socket, struct, subprocess, sys, tempfile

SET = """
ip link set eth0 vf 0 mac 02:00:00:00:00:10
ip link set eth0 vf 1 vlan 100 qos 3 proto 802.1Q
ip link set eth0 vf 2 max_tx_rate 100
ip link set eth0 vf 3 spoofchk off
ip link set eth0 vf 4 trust on
ip link set eth0 vf 5 vlan 4094
ip link set eth0 vf 6 mac 02:00:00:00:00:16
ip link set eth0 vf 6 vlan 7 qos 7 proto 802.1Q
"""
UNSET = """
ip link set eth0 vf 0 mac 00:00:00:00:00:00
ip link set eth0 vf 1 vlan 0 proto 802.1Q
ip link set eth0 vf 2 max_tx_rate 0
ip link set eth0 vf 3 spoofchk on
ip link set eth0 vf 4 trust off
"""
REFUSED = """
ip link set eth0 vf 0 vlan 100 proto 802.1ad
ip link set eth0 vf 0 state enable
ip link set eth0 vf 0 state disable
ip link set eth0 vf 0 state auto
ip link set eth0 vf 0 min_tx_rate 10 max_tx_rate 100
ip link set eth0 vf 0 max_tx_rate 4000000
ip link set eth0 vf 0 mac 01:00:00:00:00:01
ip link set eth0 vf 0 vlan 1 qos 8
ip link set eth0 vf 9 vlan 1
"""


def open_socket():
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    s.bind((0, 0))
    s.settimeout(5)
    for option in (11, 10, 12):  # NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK
        s.setsockopt(270, option, 1)
    return s


def answer(request):
    with open_socket() as s:
        s.send(request)
        return s.recv(65536).hex()


def state(link):
    name = link.encode() + b"\0"
    body = struct.pack("=BxHiII", 0, 0, 0, 0, 0) + struct.pack("=HHI", 8, 29, 9)
    body += struct.pack("=HH", 4 + len(name), 3) + name + bytes(-len(name) % 4)
    shown = subprocess.run(["ip", "-d", "-j", "link", "show", link], capture_output=True, text=True).stdout
    return {
        "datagram": answer(struct.pack("=IHHII", 16 + len(body), 18, 1, 1, 0) + body),
        "shown": json.loads(shown)[0],
    }


def request_of(command):
    """Runs a command.

    Returns its exit status and the last RTM_NEW... or RTM_SET... datagram that it sent.
    """
    with tempfile.NamedTemporaryFile("r") as log:
        trace = ["strace", "-o", log.name, "-e", "trace=sendmsg,sendto", "-e", "write=all", "-e", "signal=none"]
        status = subprocess.run(trace + shlex.split(command), stderr=subprocess.DEVNULL).returncode
        datagrams = []
        for line in log:
            if line.startswith("send"):
                datagrams.append(bytearray())
            row = re.match(r" \| [0-9a-f]{5}  ((?:[0-9a-f]{2} {1,2}){1,16})", line)
            if row and datagrams:
                datagrams[-1] += bytes.fromhex(row.group(1))
    changes = [d for d in datagrams if len(d) > 32 and struct.unpack_from("=H", d, 4)[0] % 4 != 2]
    return status, changes[-1].hex()


def requests_of(commands):
    requests = {}
    for command in filter(None, commands.splitlines()):
        status, requests[command] = request_of(command)
        if status != 0:
            sys.exit(f"{command}: exit status {status}")
    return requests


def numvfs(link, number):
    with open(f"/sys/class/net/{link}/device/sriov_numvfs", "w") as file:
        file.write(str(number))


states, refusals = {}, {}
subprocess.run("ip link set eth0 up; ip link set eth1 up; sleep 4", shell=True)
states["no VF"] = state("eth1")
numvfs("eth1", 1)
states["one VF"] = state("eth1")
numvfs("eth0", 7)
states["seven VFs, nothing set"] = state("eth0")
requests = requests_of(SET)
states["seven VFs, all kinds of settings"] = state("eth0")
requests |= requests_of(UNSET)
states["seven VFs, settings taken back"] = state("eth0")
for command in filter(None, REFUSED.splitlines()):
    status, request = request_of(command)
    refusals[command] = {"request": request, "answer": answer(bytes.fromhex(request))}
version = subprocess.run(["ip", "-V"], capture_output=True, text=True).stdout.strip()
with open(sys.argv[1], "w") as file:
    kernel = ".".join(platform.release().split(".")[:2])
    json.dump({"kernel": kernel, "tools": version, "states": states, "requests": requests, "refusals": refusals}, file, indent=1)
    file.write("\n")
