//! Opens network namespaces and runs callbacks inside them.

use std::{
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    process,
};

use rustix::{
    fs::{OFlags, fstat},
    io::{self, Errno},
    ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

use super::files::open;
use crate::{
    error::{Attempt, HostError, Result},
    text::Text,
};

/// Opens a network namespace. EINVAL if the path is anything else.
///
/// Opens without blocking, so that a FIFO is refused instead of waiting for a writer.
pub fn open_netns(path: &Text) -> Result<OwnedFd> {
    let fd = open(path, OFlags::RDONLY | OFlags::NONBLOCK)?;
    // SAFETY: NS_GET_NSTYPE takes no argument. Another file type may interpret this request number,
    // but gets no pointer.
    match unsafe { ioctl(&fd, NamespaceType) } {
        Ok(libc::CLONE_NEWNET) => Ok(fd),
        // A file that is no namespace does not support the request (ENOTTY), or returns some other
        // value.
        _ => Err(HostError::on(Errno::INVAL, "ioctl", path)),
    }
}

/// Returns the inode number of the user namespace that owns a namespace. EPERM if it is not below
/// this process's own.
pub fn owner(netns: BorrowedFd<'_>) -> Result<u64> {
    /// `NS_GET_USERNS` of <linux/nsfs.h>.
    const NS_GET_USERNS: libc::c_ulong = 0xb701;
    // SAFETY: the request takes no argument, and returns a new descriptor.
    let fd = unsafe { libc::ioctl(netns.as_raw_fd(), NS_GET_USERNS as _) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error()).during("ioctl");
    }
    // SAFETY: nothing else owns the new descriptor.
    let namespace = unsafe { OwnedFd::from_raw_fd(fd) };
    Ok(fstat(&namespace).during("fstat")?.st_ino)
}

/// Runs the callback with this thread inside the namespace, then returns to the thread's own
/// namespace.
///
/// Ends the process if it cannot return: otherwise all later calls would act in the wrong
/// namespace.
pub fn inside<T>(netns: BorrowedFd<'_>, callback: impl FnOnce() -> T) -> Result<T> {
    // The file is the thread's own, because every thread has its own namespace. /proc/self is the
    // first thread's.
    let home = open(&Text::from("/proc/thread-self/ns/net"), OFlags::RDONLY)?;
    enter(netns)?;
    let result = callback();
    if let Err(error) = enter(home.as_fd()) {
        eprintln!("cannot return from a network namespace: {error}");
        process::abort();
    }
    Ok(result)
}

fn enter(netns: BorrowedFd<'_>) -> Result<()> {
    move_into_link_name_space(netns, Some(LinkNameSpaceType::Network)).during("setns")
}

/// `NS_GET_NSTYPE` (linux/nsfs.h): returns the kind of a namespace, as its CLONE_NEW flag.
struct NamespaceType;

// SAFETY: the request takes no argument, and its result is the return value of ioctl(2).
unsafe impl Ioctl for NamespaceType {
    type Output = libc::c_int;

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        opcode::none(0xb7, 3)
    }

    fn as_ptr(&mut self) -> *mut libc::c_void {
        std::ptr::null_mut()
    }

    unsafe fn output_from_ptr(output: IoctlOutput, _: *mut libc::c_void) -> io::Result<Self::Output> {
        Ok(output)
    }
}
