//! Taps: created and configured by ioctls only, because rtnetlink refuses to create them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::{
    fs::OFlags,
    io::Errno,
    ioctl::{IntegerSetter, Opcode, Updater, ioctl, opcode},
};

use super::files::open;
use crate::{
    error::{Attempt, Result},
    text::Text,
};

/// The device that creates taps.
pub(super) const DEVICE: &str = "/dev/net/tun";

// linux/if_tun.h
const TUNSETIFF: Opcode = opcode::write::<libc::c_int>(b'T', 202);
const TUNSETPERSIST: Opcode = opcode::write::<libc::c_int>(b'T', 203);
const TUNSETOWNER: Opcode = opcode::write::<libc::c_int>(b'T', 204);
const TUNSETGROUP: Opcode = opcode::write::<libc::c_int>(b'T', 206);

/// The kernel's `struct ifreq`, as TUNSETIFF uses it.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    flags: u16,
    unused: [u8; 22],
}

/// Creates a tap in the current namespace. EBUSY if a link of that name exists, EINVAL if the name
/// is invalid.
pub fn create(name: &Text, multi_queue: bool) -> Result<OwnedFd> {
    let mut request = Request {
        name: link_name(name).on("ioctl", name)?,
        flags: flags(multi_queue),
        unused: [0; 22],
    };
    let fd = open(&Text::from(DEVICE), OFlags::RDWR)?;
    // SAFETY: TUNSETIFF takes a pointer to an ifreq, which `request` is, and writes no more than
    // that.
    unsafe { ioctl(&fd, Updater::<TUNSETIFF, Request>::new(&mut request)) }.on("ioctl", name)?;
    Ok(fd)
}

/// Sets owner and group, then makes the tap outlive its descriptor.
pub fn persist(fd: BorrowedFd<'_>, owner: u32, group: u32) -> Result<()> {
    set::<TUNSETOWNER>(fd, owner)?;
    set::<TUNSETGROUP>(fd, group)?;
    set::<TUNSETPERSIST>(fd, 1)
}

fn set<const REQUEST: Opcode>(fd: BorrowedFd<'_>, value: u32) -> Result<()> {
    // SAFETY: these requests take the value itself, no pointer.
    unsafe { ioctl(fd.as_fd(), IntegerSetter::<REQUEST>::new_usize(value as usize)) }.during("ioctl")
}

/// Flags of a tap as KubeVirt and QEMU need it: whole frames with virtio's header, and never an
/// existing tap.
fn flags(multi_queue: bool) -> u16 {
    let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR | libc::IFF_TUN_EXCL;
    (flags | if multi_queue { libc::IFF_MULTI_QUEUE } else { 0 }) as u16
}

/// Returns the name padded with NULs. It must have 1 to 15 bytes and no `%`, which the kernel would
/// replace by a number.
fn link_name(name: &Text) -> rustix::io::Result<[u8; libc::IFNAMSIZ]> {
    let mut padded = [0; libc::IFNAMSIZ];
    let c_string = name.c_string()?;
    match c_string.as_bytes() {
        bytes if bytes.is_empty() || bytes.len() >= padded.len() || bytes.contains(&b'%') => Err(Errno::INVAL),
        bytes => {
            padded[..bytes.len()].copy_from_slice(bytes);
            Ok(padded)
        }
    }
}
