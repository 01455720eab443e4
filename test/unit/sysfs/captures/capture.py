#!/usr/bin/python3
"""Records a real sysfs with SR-IOV and VFIO: what is in it that matters, and what the kernel answers to reads and writes, one after another.

    test/lab/vm/run --out DIRECTORY -- sh -c 'modprobe -a igb igbvf vfio-pci; exec test/unit/sysfs/captures/capture.py $LAB_OUT/igb-<version>.json'

In a machine with two SR-IOV NICs of the kind igb, eth0 and eth1, and an IOMMU (test/lab/vm). The output holds

  tree    by path: a file's text, {"link": ...} for a symbolic link, {"names": ...} for a directory, {"code": ...} for a file that cannot be read
  deeds   in order: what was done, and its outcome: text, names, or the errno's name
"""
import errno, fcntl, json, os, platform, re, subprocess, sys, time

DEVICE = "/sys/bus/pci/devices/"
tree, deeds = {}, []


def outcome(call):
    try:
        return call()
    except OSError as error:
        return {"code": errno.errorcode[error.errno]}


def read(path):
    with open(path) as file:
        return file.read()


def write(path, text):
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def keep(path):
    """Puts a path, and the symbolic links and directories that lead to it, into the tree."""
    parts, at = path.split("/")[1:], ""
    for position, part in enumerate(parts):
        at += "/" + part
        if at in tree:
            pass
        elif os.path.islink(at):
            tree[at] = {"link": os.readlink(at)}
        elif os.path.isdir(at):
            tree[at] = {"names": []}
        elif os.path.exists(at):
            # Writing is all that these are for.
            tree[at] = "" if part in ("bind", "unbind", "reset", "drivers_probe") or at.startswith("/dev/") else outcome(lambda: read(at))
        else:
            return
        if os.path.islink(at):
            keep(os.path.normpath(os.path.join(os.path.dirname(at), os.readlink(at))))
            if position + 1 < len(parts):
                return keep(os.path.realpath(at) + "/" + "/".join(parts[position + 1 :]))


def do(what, *arguments):
    calls = {
        "read": read,
        "write": write,
        "link": lambda path: os.readlink(path).split("/")[-1],
        "names": lambda path: sorted(os.listdir(path)),
        "there": os.path.exists,
        "same": lambda path: inodes[path] == os.stat(path).st_ino,
        "hold": lambda path: held.append(os.open(path, os.O_RDWR)),
        "release": lambda path: os.close(held.pop()),
        "ip": lambda command: subprocess.run(f"ip {command}", shell=True, check=True) and None,
        # What rtnetlink tells of eth0's VF 1; the address's first byte alone, because the rest may
        # be chance.
        "vf": lambda: vf_of("eth0", 1),
    }
    result = outcome(lambda: calls[what](*arguments))
    deeds.append([what, *arguments, result])
    return result


def vf_of(link, number):
    shown = json.loads(subprocess.run(["ip", "-j", "link", "show", link], capture_output=True, text=True).stdout)
    vf = shown[0]["vfinfo_list"][number]
    mac = vf["address"]
    if mac not in ("00:00:00:00:00:00", "02:00:00:00:00:01"):
        mac = "chance"
    vlan = vf["vlan_list"][0] if "vlan_list" in vf else {}
    return {"mac": mac, "vlan": vlan.get("vlan", 0)}


inodes, held = {}, []
subprocess.run("ip link set eth0 up; ip link set eth1 up; sleep 3", shell=True)
write("/sys/class/net/eth0/device/sriov_numvfs", "3")
time.sleep(2)
pf = os.path.basename(os.readlink("/sys/class/net/eth0/device"))
vfs = [os.path.basename(os.readlink(f"{DEVICE}{pf}/virtfn{n}")) for n in range(3)]
other = os.path.basename(os.readlink("/sys/class/net/eth1/device"))
port = os.path.basename(os.path.dirname(os.path.realpath(DEVICE + pf)))

for address in (port, pf, other, *vfs):
    group = os.path.basename(os.readlink(f"{DEVICE}{address}/iommu_group"))
    for name in ("vendor", "device", "class", "driver_override", "driver", "iommu_group", "reset", "reset_method", "physfn", "sriov_numvfs",
                 "sriov_totalvfs", "virtfn0", "virtfn1", "virtfn2", "net", f"iommu_group/devices/{address}"):
        keep(f"{DEVICE}{address}/{name}")
    for link in outcome(lambda: os.listdir(f"{DEVICE}{address}/net")):
        if link == "code":
            continue
        for name in ("address", "addr_assign_type", "mtu", "ifindex", "phys_port_name", "phys_switch_id", "device"):
            keep(f"/sys/class/net/{link}/{name}")
for driver in ("igb", "igbvf", "vfio-pci", "pcieport"):
    for name in ("bind", "unbind"):
        keep(f"/sys/bus/pci/drivers/{driver}/{name}")
for path in ("/sys/bus/pci/drivers_probe", "/dev/vfio/vfio", "/proc/sys/kernel/osrelease"):
    keep(path)
for path in tree:
    parent, name = path.rsplit("/", 1)
    if parent in tree and "names" in tree[parent]:
        tree[parent]["names"].append(name)

vf = vfs[1]
group = os.path.basename(os.readlink(f"{DEVICE}{vf}/iommu_group"))
directory = DEVICE + vf
inodes = {f"{directory}/": os.stat(f"{directory}/").st_ino}


def look():
    do("link", f"{directory}/driver")
    do("read", f"{directory}/driver_override")
    do("names", f"{directory}/net")
    do("there", f"/dev/vfio/{group}")
    do("names", f"{directory}/vfio-dev")
    do("vf")


def probe(address=vf):
    do("write", "/sys/bus/pci/drivers_probe", address)
    time.sleep(1)


def unbind(driver, address=vf):
    do("write", f"/sys/bus/pci/drivers/{driver}/unbind", address)


look()
do("read", f"/sys/class/net/{os.listdir(directory + '/net')[0]}/addr_assign_type")
do("read", "/sys/class/net/eth0/phys_port_name")
# Writes that change nothing, and those that are refused.
do("write", f"{directory}/driver_override", "no-such-driver\n")
do("read", f"{directory}/driver_override")
do("write", f"{directory}/driver_override", "")
do("read", f"{directory}/driver_override")
do("write", f"{directory}/driver_override", "\n")
do("read", f"{directory}/driver_override")
do("write", f"{directory}/driver_override", "vfio-pci")
do("read", f"{directory}/driver_override")
probe()
look()
unbind("vfio-pci")
unbind("igbvf", "0000:77:00.0")
unbind("igbvf", "nonsense")
probe("0000:77:00.0")
do("write", "/sys/bus/pci/drivers/vfio-pci/bind", vf)
do("write", f"{directory}/driver/unbind", "0000:77:00.0")
# To vfio-pci and back.
do("write", f"{directory}/driver/unbind", vf)
look()
unbind("igbvf")
do("write", "/sys/bus/pci/drivers/igbvf/bind", vf)
probe()
look()
do("write", f"{directory}/reset", "1")
do("hold", f"/dev/vfio/{group}")
do("hold", f"/dev/vfio/{group}")
unbind("vfio-pci")
do("there", f"/dev/vfio/{group}")
do("hold", f"/dev/vfio/{group}")
do("release", f"/dev/vfio/{group}")
do("there", f"/dev/vfio/{group}")
look()
do("hold", f"/dev/vfio/{group}")
do("write", f"{directory}/driver_override", "no-such-driver")
probe()
look()
do("write", f"{directory}/driver_override", "\n")
probe()
look()
# What becomes of a MAC address that the driver picked by chance.
do("ip", "link set eth0 vf 1 vlan 100")
unbind("igbvf")
do("vf")
do("write", f"{directory}/driver_override", "vfio-pci")
probe()
do("vf")
do("write", f"{directory}/reset", "1")
do("vf")
unbind("vfio-pci")
do("vf")
do("write", f"{directory}/driver_override", "\n")
probe()
look()
# Settings made by the PF, over rebinding; with an administrator's MAC address the driver picks
# none.
do("ip", "link set eth0 vf 1 mac 02:00:00:00:00:01")
do("vf")
do("read", f"/sys/class/net/{os.listdir(directory + '/net')[0]}/addr_assign_type")
unbind("igbvf")
do("vf")
do("write", f"{directory}/driver_override", "vfio-pci")
probe()
look()
do("write", f"{directory}/reset", "1")
do("vf")
unbind("vfio-pci")
do("write", f"{directory}/driver_override", "\n")
probe()
look()
do("read", f"/sys/class/net/{os.listdir(directory + '/net')[0]}/addr_assign_type")
unbind("igbvf")
do("ip", "link set eth0 vf 1 mac 00:00:00:00:00:00")
do("vf")
probe()
do("vf")
do("read", f"/sys/class/net/{os.listdir(directory + '/net')[0]}/addr_assign_type")
# The PF forgets a MAC address by chance when it is told that there is none, though the driver keeps
# it.
do("ip", "link set eth0 vf 1 mac 02:00:00:00:00:01")
do("ip", "link set eth0 vf 1 mac 00:00:00:00:00:00")
do("vf")
# VFs made anew.
do("write", f"{directory}/driver_override", "vfio-pci")
do("same", f"{directory}/")
do("write", f"{DEVICE}{pf}/sriov_numvfs", "2")
do("write", f"{DEVICE}{pf}/sriov_numvfs", "9")
do("write", f"{DEVICE}{pf}/sriov_numvfs", "0")
do("there", directory)
do("read", f"{DEVICE}{pf}/sriov_numvfs")
do("write", f"{DEVICE}{pf}/sriov_numvfs", "3")
time.sleep(2)
do("same", f"{directory}/")
look()
# A link in another namespace; away with the PF's driver.
do("ip", "netns add pod")
do("ip", f"link set {os.listdir(directory + '/net')[0]} netns pod")
do("names", f"{directory}/net")
unbind("igbvf")
probe()
look()
unbind("igb", pf)
do("there", directory)
do("names", f"{DEVICE}{pf}/net")

with open(sys.argv[1], "w") as file:
    kernel = ".".join(platform.release().split(".")[:2])
    json.dump({"kernel": kernel, "pf": pf, "other": other, "port": port, "vfs": vfs, "group": group, "tree": tree, "deeds": deeds}, file, indent=1)
    file.write("\n")
