# Opens a tap as a hypervisor does, and relays its frames as hex on standard input and output, one
# frame per line.
#
# Arguments: namespace, tap, uid, gid, "multi" or "single". Prints "open" first, or an errno's name.
# Exits at the end of its standard input.
import ctypes
import errno
import fcntl
import os
import selectors
import struct
import sys

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI, IFF_MULTI_QUEUE = 0x0002, 0x1000, 0x0100
CLONE_NEWNET = 0x40000000

namespace, name, uid, gid, queues = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
if libc.setns(os.open(namespace, os.O_RDONLY), CLONE_NEWNET) != 0:
    sys.exit("setns: " + errno.errorcode[ctypes.get_errno()])
tap = os.open("/dev/net/tun", os.O_RDWR)
# If the user is not root, the process loses all capabilities here, as virt-launcher has none.
os.setgroups([])
os.setgid(int(gid))
os.setuid(int(uid))
flags = IFF_TAP | IFF_NO_PI | (IFF_MULTI_QUEUE if queues == "multi" else 0)
try:
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
except OSError as error:
    print(errno.errorcode[error.errno], flush=True)
    sys.exit(1)
print("open", flush=True)

selector = selectors.DefaultSelector()
selector.register(tap, selectors.EVENT_READ)
selector.register(0, selectors.EVENT_READ)
pending = b""
while True:
    for key, _ in selector.select():
        if key.fd == tap:
            try:
                print(os.read(tap, 65536).hex(), flush=True)
            except OSError as error:
                # Another process has deleted the tap.
                if error.errno != errno.EBADFD:
                    raise
                sys.exit(0)
            continue
        data = os.read(0, 65536)
        if not data:
            sys.exit(0)
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            try:
                os.write(tap, bytes.fromhex(line.decode()))
            except OSError as error:
                # The tap is down: the frame is lost.
                if error.errno != errno.EIO:
                    raise
