//! Directories that root alone can change, opened so that nobody can redirect what is done in them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::{
    fs::{self, FileType, Mode, OFlags, ResolveFlags},
    io::{self, Errno},
};

use super::files::{Place, is_name};
use crate::{
    error::{Attempt, HostError, Result},
    text::Text,
};

/// How many symbolic links a path may lead through, as in the kernel.
const MAX_LINKS: usize = 40;

/// Locates an entry without opening it. A symbolic link is not followed.
const LOCATE: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a directory: [`open_beneath`] a directory, otherwise [`open_trusted`].
pub fn open(place: Place<'_>, create: bool) -> Result<OwnedFd> {
    match place.directory {
        Some(directory) => open_beneath(directory, place.path, create),
        None => open_trusted(place.path, create),
    }
}

/// Opens a directory by its absolute path, following symbolic links.
///
/// Every directory and every symbolic link on the way belongs to root, and no other user may write
/// to it. A directory on the way may have the sticky bit instead: others cannot replace its
/// entries. EPERM of `fstat` with the path of the first one that others can change. With `create`,
/// missing directories are created with mode 0700.
pub fn open_trusted(path: &Text, create: bool) -> Result<OwnedFd> {
    let text = path.utf8().on("open", path)?;
    if !text.starts_with('/') {
        return Err(HostError::on(Errno::INVAL, "open", path));
    }
    let mut left: Vec<String> = components(text).rev().map(String::from).collect();
    // The directories from the root to the current one, for a link that leads up again.
    let mut way = vec![(root()?, String::new())];
    let mut links = 0;
    while let Some(name) = left.pop() {
        if name == ".." {
            if way.len() > 1 {
                way.pop();
            }
            continue;
        }
        let (directory, place) = way.last().expect("the root is never removed");
        let here = format!("{place}/{name}");
        let locate = || fs::openat(directory, &*name, LOCATE, Mode::empty());
        let entry = match locate() {
            Err(Errno::NOENT) if create => {
                make(directory.as_fd(), &name).on("mkdir", &here)?;
                locate()
            }
            result => result,
        };
        let entry = entry.on("open", &here)?;
        let stat = fs::fstat(&entry).on("fstat", &here)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(HostError::on(Errno::LOOP, "open", path));
                }
                // The mode of a symbolic link has no meaning.
                if stat.st_uid != 0 {
                    return Err(HostError::on(Errno::PERM, "fstat", here));
                }
                let target = fs::readlinkat(&entry, "", Vec::new()).on("readlinkat", &here)?;
                let target = target.into_string().map_err(|_| Errno::ILSEQ).on("readlinkat", &here)?;
                if target.starts_with('/') {
                    way.truncate(1);
                }
                left.extend(components(&target).rev().map(String::from));
            }
            FileType::Directory => {
                let is_last = left.is_empty();
                if is_last || !is_sticky(&stat) {
                    refuse_foreign(&stat).on("fstat", &here)?;
                }
                way.push((entry, here));
            }
            _ => return Err(HostError::on(Errno::NOTDIR, "open", here)),
        }
    }
    Ok(way.pop().expect("the root is never removed").0)
}

/// Opens a directory below an open one: `openat2(2)` that follows no symbolic link and does not
/// leave the directory.
///
/// EINVAL if the path is empty, absolute, or contains `.` or `..`. EPERM of `fstat` with the path
/// of the first directory that others than root can change. With `create`, missing directories are
/// created with mode 0700.
pub fn open_beneath(directory: BorrowedFd<'_>, path: &Text, create: bool) -> Result<OwnedFd> {
    let text = path.utf8().on("openat2", path)?;
    let mut found: Option<OwnedFd> = None;
    for name in text.split('/') {
        if !is_name(name) {
            return Err(HostError::on(Errno::INVAL, "openat2", path));
        }
        let parent = found.as_ref().map_or(directory, OwnedFd::as_fd);
        let entry = match beneath(parent, name) {
            Err(Errno::NOENT) if create => {
                make(parent, name).on("mkdir", path)?;
                beneath(parent, name)
            }
            result => result,
        };
        let entry = entry.on("openat2", path)?;
        let stat = fs::fstat(&entry).on("fstat", path)?;
        refuse_foreign(&stat).on("fstat", path)?;
        found = Some(entry);
    }
    Ok(found.expect("a path has at least one component"))
}

fn beneath(parent: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    match fs::openat2(parent, name, flags, Mode::empty(), resolve) {
        // Before Linux 5.6. For one component, O_NOFOLLOW means the same.
        Err(Errno::NOSYS) => fs::openat(parent, name, flags | OFlags::NOFOLLOW, Mode::empty()),
        result => result,
    }
}

fn make(directory: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    match fs::mkdirat(directory, name, Mode::RWXU) {
        // Another process created it.
        Err(Errno::EXIST) => Ok(()),
        result => result,
    }
}

fn root() -> Result<OwnedFd> {
    let root = fs::openat(fs::CWD, "/", LOCATE | OFlags::DIRECTORY, Mode::empty()).on("open", "/")?;
    let stat = fs::fstat(&root).on("fstat", "/")?;
    refuse_foreign(&stat).on("fstat", "/")?;
    Ok(root)
}

/// Whether the directory is root's, and others can add entries but not remove or rename root's.
/// What a path leads to in it must be root's, too, as everywhere.
fn is_sticky(stat: &fs::Stat) -> bool {
    stat.st_uid == 0 && Mode::from_raw_mode(stat.st_mode).contains(Mode::SVTX)
}

/// EPERM if others than root can change the directory.
fn refuse_foreign(stat: &fs::Stat) -> io::Result<()> {
    let others = Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH);
    if stat.st_uid != 0 || others {
        Err(Errno::PERM)
    } else {
        Ok(())
    }
}

fn components(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|part| !matches!(*part, "" | "."))
}
