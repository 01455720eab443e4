//! Network namespaces: opening them, and being inside one for a while.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    process,
};

use rustix::{
    fs::OFlags,
    io::{self, Errno},
    ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

use super::files::open;
use crate::{
    error::{Attempt, HostError, Result},
    text::Text,
};

/// Opens a network namespace; EINVAL where the path is something else.
///
/// Opened without blocking, so that a FIFO is refused instead of waited for.
pub fn open_netns(path: &Text) -> Result<OwnedFd> {
    let fd = open(path, OFlags::RDONLY | OFlags::NONBLOCK)?;
    // SAFETY: NS_GET_NSTYPE takes no argument; whatever else a stranger's file takes this number
    // for, it gets none.
    match unsafe { ioctl(&fd, NamespaceType) } {
        Ok(libc::CLONE_NEWNET) => Ok(fd),
        // What is no namespace does not know the request (ENOTTY), or answers in some way of its
        // own.
        _ => Err(HostError::on(Errno::INVAL, "ioctl", path)),
    }
}

/// Runs the callback with this thread inside the namespace, and returns to where it was.
///
/// Ends the process if it cannot return: whatever came next would happen in the wrong namespace.
pub fn inside<T>(netns: BorrowedFd<'_>, callback: impl FnOnce() -> T) -> Result<T> {
    // The thread's own file: /proc/self is the first thread's, and each has a namespace of its own.
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

/// `NS_GET_NSTYPE` (linux/nsfs.h): the kind of a namespace, as its CLONE_NEW flag.
struct NamespaceType;

// SAFETY: the request takes no argument, and its result is what ioctl(2) returns.
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
