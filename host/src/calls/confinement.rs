//! Takes rights from this process that the rest of its call does not need.
//!
//! Each measure works alone: an older kernel that lacks one of them gives the others.

use std::{
    mem::size_of_val,
    os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd},
    path::Path,
};

use libc::{c_int, c_long, syscall};
use rustix::fs::{self, Mode, OFlags};

use crate::text::Text;

// <linux/prctl.h>
const PR_SET_MDWE: c_int = 65;
const PR_MDWE_REFUSE_EXEC_GAIN: c_long = 1;

// <linux/landlock.h>. The numbers of the calls are the same on every architecture.
const CREATE_RULESET: c_long = 444;
const ADD_RULE: c_long = 445;
const RESTRICT_SELF: c_long = 446;
const GET_VERSION: u32 = 1;
const PATH_BENEATH: c_int = 1;
const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
/// `REMOVE_DIR` to `MAKE_SYM`.
const CHANGE_DIRECTORY: u64 = 0b1_1111_1111 << 4;
const TRUNCATE: u64 = 1 << 14;
const BIND_AND_CONNECT_TCP: u64 = 0b11;
const ABSTRACT_SOCKETS_AND_SIGNALS: u64 = 0b11;

// <linux/capability.h>
const CAPABILITY_VERSION_3: u32 = 0x2008_0522;
const CAP_NET_ADMIN: u32 = 1 << 12;
const CAP_SYS_ADMIN: u32 = 1 << 21;

/// Confines this process until it ends. Returns the measures that are in force:
///
/// - `noNewPrivileges`: a set-user-ID program grants nothing.
/// - `landlock`: no program is run, nothing is written but below `directories` (everything) and
///   `files` (existing files), no TCP, no abstract socket or signal of other processes.
/// - `capabilities`: only CAP_NET_ADMIN and CAP_SYS_ADMIN, as far as the process had them.
/// - `noNewCode`: memory that was writable never becomes executable.
///
/// A missing directory counts as the nearest one above it, but never as `/`. A missing file is left
/// out.
pub fn confine(directories: &[Text], files: &[Text]) -> Vec<&'static str> {
    // SAFETY: both calls take numbers only.
    let prctl = |option, value: c_long| unsafe { libc::prctl(option, value, 0, 0, 0) } == 0;
    let measures = [
        ("noNewPrivileges", prctl(libc::PR_SET_NO_NEW_PRIVS, 1)),
        ("landlock", restrict_files(directories, files).is_some()),
        ("capabilities", drop_capabilities()),
        ("noNewCode", prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN)),
    ];
    measures
        .into_iter()
        .filter_map(|(name, in_force)| in_force.then_some(name))
        .collect()
}

/// `struct landlock_ruleset_attr`. An older kernel accepts the longer structure if the fields that
/// it does not know are 0.
#[repr(C)]
struct Ruleset {
    files: u64,
    network: u64,
    scoped: u64,
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct Beneath {
    allowed: u64,
    parent: c_int,
}

/// Returns `None` if the kernel has no Landlock, or refused a rule.
fn restrict_files(directories: &[Text], files: &[Text]) -> Option<()> {
    // SAFETY: without attributes, the call returns the version.
    let version = unsafe { syscall(CREATE_RULESET, std::ptr::null::<Ruleset>(), 0_usize, GET_VERSION) };
    if version < 1 {
        return None;
    }
    let since = |first, rights: u64| if version >= first { rights } else { 0 };
    let write_file = WRITE_FILE | since(3, TRUNCATE);
    // Nothing is moved from one directory to another, which needs a right of its own.
    let write = write_file | CHANGE_DIRECTORY;
    let rules = Ruleset {
        files: EXECUTE | write,
        network: since(4, BIND_AND_CONNECT_TCP),
        scoped: since(6, ABSTRACT_SOCKETS_AND_SIGNALS),
    };
    // SAFETY: the structure is valid during the call.
    let ruleset = unsafe { syscall(CREATE_RULESET, &raw const rules, size_of_val(&rules), 0_u32) };
    if ruleset < 0 {
        return None;
    }
    // SAFETY: the kernel has just opened it, close-on-exec.
    let ruleset = unsafe { OwnedFd::from_raw_fd(ruleset as c_int) };
    for path in directories {
        let mut existing = Path::new(path.utf8().ok()?)
            .ancestors()
            .filter(|path| path.parent().is_some());
        if let Some(directory) = existing.find_map(open) {
            allow(&ruleset, directory, write)?;
        }
    }
    for path in files {
        if let Some(file) = open(Path::new(path.utf8().ok()?)) {
            allow(&ruleset, file, write_file)?;
        }
    }
    // SAFETY: the descriptor is open.
    (unsafe { syscall(RESTRICT_SELF, ruleset.as_raw_fd(), 0_u32) } == 0).then_some(())
}

fn open(path: &Path) -> Option<OwnedFd> {
    fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()
}

fn allow(ruleset: &OwnedFd, parent: OwnedFd, allowed: u64) -> Option<()> {
    let rule = Beneath {
        allowed,
        // Stays open: the entries of /proc/sys are made anew when no process uses them, and a rule
        // is only about the entry that was opened.
        parent: parent.into_raw_fd(),
    };
    // SAFETY: the structure is valid during the call.
    (unsafe { syscall(ADD_RULE, ruleset.as_raw_fd(), PATH_BENEATH, &raw const rule, 0_u32) } == 0).then_some(())
}

/// `struct __user_cap_header_struct`.
#[repr(C)]
struct Header {
    version: u32,
    pid: c_int,
}

/// `struct __user_cap_data_struct`: 32 of the capabilities.
#[repr(C)]
#[derive(Default)]
struct Capabilities {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

fn drop_capabilities() -> bool {
    let header = Header {
        version: CAPABILITY_VERSION_3,
        pid: 0,
    };
    let mut sets = [Capabilities::default(), Capabilities::default()];
    // SAFETY: the version has two sets of capabilities, and the structures are valid.
    if unsafe { syscall(libc::SYS_capget, &raw const header, sets.as_mut_ptr()) } != 0 {
        return false;
    }
    let [low, high] = &mut sets;
    *high = Capabilities::default();
    low.effective &= CAP_NET_ADMIN | CAP_SYS_ADMIN;
    low.permitted = low.effective;
    // SAFETY: as above.
    unsafe { syscall(libc::SYS_capset, &raw const header, sets.as_ptr()) == 0 }
}
