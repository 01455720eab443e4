# Opens a VFIO group, and a device in it, as a hypervisor does (linux/vfio.h).
#
# Arguments: GROUP [DEVICE], such as 5 0000:01:10.0.
#
# Prints one line of JSON: whether the group is viable, and the device's IDs from its configuration
# space. If a step fails, prints the step and the errno's name. Keeps all files open until it is
# killed.
import errno
import fcntl
import json
import os
import signal
import struct
import sys

SET_IOMMU, GROUP_GET_STATUS, GROUP_SET_CONTAINER, GROUP_GET_DEVICE_FD, DEVICE_GET_REGION_INFO = 0x3B66, 0x3B67, 0x3B68, 0x3B6A, 0x3B6C
VIABLE, TYPE1V2_IOMMU, CONFIG_REGION = 1, 3, 7

number, device = (sys.argv[1:] + [None])[:2]
answer = {}
step = "open"
try:
    container = os.open("/dev/vfio/vfio", os.O_RDWR)
    group = os.open("/dev/vfio/" + number, os.O_RDWR)
    step = "status"
    status = fcntl.ioctl(group, GROUP_GET_STATUS, struct.pack("II", 8, 0))
    answer["viable"] = bool(struct.unpack("II", status)[1] & VIABLE)
    step = "container"
    fcntl.ioctl(group, GROUP_SET_CONTAINER, struct.pack("i", container))
    step = "iommu"
    fcntl.ioctl(container, SET_IOMMU, TYPE1V2_IOMMU)
    if device:
        step = "device"
        # With a mutable buffer, ioctl() returns the system call's result, which is a file
        # descriptor here.
        opened = fcntl.ioctl(group, GROUP_GET_DEVICE_FD, bytearray(device.encode() + b"\0"))
        step = "region"
        region = fcntl.ioctl(opened, DEVICE_GET_REGION_INFO, struct.pack("IIIIQQ", 32, 0, CONFIG_REGION, 0, 0, 0))
        vendor, product = struct.unpack("HH", os.pread(opened, 4, struct.unpack("IIIIQQ", region)[5]))
        answer["ids"] = f"{vendor:04x}:{product:04x}"
except OSError as error:
    answer["failed"] = {"step": step, "code": errno.errorcode[error.errno]}
print(json.dumps(answer), flush=True)
signal.pause()
