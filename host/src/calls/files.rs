//! Calls on files and directories: whole reads and writes, and changes of names.

use std::{
    fmt,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
};

use rustix::{
    fs::{self, Access, AtFlags, CWD, Dir, FileType, Mode, OFlags},
    io::{self, Errno, retry_on_intr},
};

use super::streams::{read_chunk, read_text, write_all};
use crate::{
    error::{Attempt, HostError, Result},
    text::Text,
};

/// How many bytes are copied or compared at once.
const CHUNK: usize = 64 * 1024;

/// What `stat(2)` reports of a file.
pub struct Stat {
    /// `st_dev`
    pub device: u64,
    /// `st_ino`
    pub inode: u64,
    /// The kind of file, as `lib/host.d.ts` names it.
    pub kind: &'static str,
    /// Permission bits.
    pub mode: u32,
    /// `st_uid`
    pub uid: u32,
    /// `st_ctime` in milliseconds.
    pub changed: f64,
}

/// A path, or the name of an entry of an open directory.
///
/// In a directory the name is one component, and no call follows it if it is a symbolic link.
/// Therefore the call stays in the directory. EINVAL for any other name.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The open directory, if there is one.
    pub directory: Option<BorrowedFd<'a>>,
    /// The path, or the name.
    pub path: &'a Text,
}

impl<'a> Place<'a> {
    fn resolve(&self) -> io::Result<(BorrowedFd<'a>, &'a Text)> {
        match self.directory {
            None => Ok((CWD, self.path)),
            Some(_) if !is_name(self.path.utf8()?) => Err(Errno::INVAL),
            Some(directory) => Ok((directory, self.path)),
        }
    }

    fn open(&self, flags: OFlags) -> Result<OwnedFd> {
        let path = self.path;
        let (directory, name) = self.resolve().on("open", path)?;
        let nofollow = match self.directory {
            Some(_) => OFlags::NOFOLLOW,
            None => OFlags::empty(),
        };
        let flags = flags | nofollow | OFlags::CLOEXEC | OFlags::NOCTTY;
        retry_on_intr(|| fs::openat(directory, name, flags, Mode::RUSR | Mode::WUSR)).on("open", path)
    }

    fn unlink(&self) -> io::Result<()> {
        let (directory, name) = self.resolve()?;
        fs::unlinkat(directory, name, AtFlags::empty())
    }
}

/// Whether the text names an entry of a directory: one component, which does not lead elsewhere.
pub(super) fn is_name(text: &str) -> bool {
    !matches!(text, "" | "." | "..") && !text.contains('/')
}

/// `stat(2)`, or `lstat(2)` if `follow` is false.
pub fn stat(place: Place<'_>, follow: bool) -> Result<Stat> {
    let path = place.path;
    let stat = if place.directory.is_some() {
        let found = place
            .resolve()
            .and_then(|(directory, name)| fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW));
        found.on("fstatat", path)?
    } else if follow {
        fs::stat(path).on("stat", path)?
    } else {
        fs::lstat(path).on("lstat", path)?
    };
    Ok(Stat {
        device: stat.st_dev,
        inode: stat.st_ino,
        kind: match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => "directory",
            FileType::Symlink => "symlink",
            FileType::Socket => "socket",
            FileType::Fifo => "fifo",
            FileType::CharacterDevice => "character",
            FileType::BlockDevice => "block",
            // An anonymous inode, such as an epoll's, has no type.
            FileType::RegularFile | FileType::Unknown => "file",
        },
        mode: Mode::from_raw_mode(stat.st_mode).bits(),
        uid: stat.st_uid,
        changed: stat.st_ctime as f64 * 1e3 + stat.st_ctime_nsec as f64 / 1e6,
    })
}

/// `access(2)` with W_OK: fails if a write would be refused. EROFS on a read-only file system.
pub fn check_writable(path: &Text) -> Result<()> {
    fs::access(path, Access::WRITE_OK).on("access", path)
}

/// Returns the whole file as UTF-8. EFBIG beyond `limit` bytes. ELOOP on a symbolic link if
/// `follow` is false.
///
/// Opens the file without blocking: a FIFO reads as empty, instead of waiting for a writer.
pub fn read(place: Place<'_>, limit: usize, follow: bool) -> Result<String> {
    let nofollow = if follow { OFlags::empty() } else { OFlags::NOFOLLOW };
    let file = place.open(OFlags::RDONLY | OFlags::NONBLOCK | nofollow)?;
    read_text(file.as_fd(), limit).on("read", place.path)
}

/// Writes to an existing file, in one `write(2)` from its start. EIO if the kernel accepted only a
/// part.
pub fn write(path: &Text, text: &Text) -> Result<()> {
    let place = Place { directory: None, path };
    write_once(place, OFlags::WRONLY, text)
}

/// Appends to a file in one `write(2)`. Creates a missing file with mode 0600. Never blocks and
/// follows no symbolic link.
pub fn append(place: Place<'_>, text: &Text) -> Result<()> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    write_once(place, flags, text)
}

fn write_once(place: Place<'_>, flags: OFlags, text: &Text) -> Result<()> {
    let path = place.path;
    let file = place.open(flags)?;
    let bytes = text.utf8().on("write", path)?.as_bytes();
    let written = retry_on_intr(|| io::write(&file, bytes)).on("write", path)?;
    if written == bytes.len() {
        Ok(())
    } else {
        Err(HostError::on(Errno::IO, "write", path))
    }
}

/// Creates a file with mode 0600 and writes all of the text. If that fails, no file remains.
pub fn create(place: Place<'_>, text: &Text) -> Result<()> {
    let path = place.path;
    let bytes = text.utf8().on("write", path)?.as_bytes();
    let file = place.open(OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?;
    write_all(file.as_fd(), bytes).on("write", path).inspect_err(|_| {
        // The error to report is the write's.
        let _ = place.unlink();
    })
}

/// Creates a file with that mode and the content of `from`, and waits until it is on its medium. If
/// that fails, no file remains.
pub fn copy(from: &Text, to: &Text, mode: u32) -> Result<()> {
    let source = open(from, OFlags::RDONLY | OFlags::NONBLOCK)?;
    let copy = open(to, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?;
    let fill = || -> Result<()> {
        let mut buffer = [0; CHUNK];
        loop {
            match read_chunk(source.as_fd(), &mut buffer).on("read", from)? {
                0 => break,
                length => write_all(copy.as_fd(), &buffer[..length]).on("write", to)?,
            }
        }
        // The mode is set here and not at creation, because there the umask would change it.
        fs::fchmod(&copy, Mode::from_raw_mode(mode)).on("fchmod", to)?;
        retry_on_intr(|| fs::fsync(&copy)).on("fsync", to)
    };
    fill().inspect_err(|_| {
        // The error to report is the first one.
        let _ = fs::unlink(to);
    })
}

/// Whether two files have the same content.
pub fn same_content(one: &Text, other: &Text) -> Result<bool> {
    let files = [one, other].map(|path| open(path, OFlags::RDONLY | OFlags::NONBLOCK));
    let [a, b] = files;
    let (a, b) = (a?, b?);
    let mut buffers = [[0; CHUNK]; 2];
    let [left, right] = &mut buffers;
    loop {
        let length = read_chunk(a.as_fd(), left).on("read", one)?;
        if read_chunk(b.as_fd(), right).on("read", other)? != length || left[..length] != right[..length] {
            return Ok(false);
        }
        if length == 0 {
            return Ok(true);
        }
    }
}

/// `fsync(2)`: waits until the file's content, or the names in the directory, are on the medium.
pub fn sync(path: &Text) -> Result<()> {
    let file = open(path, OFlags::RDONLY | OFlags::NONBLOCK)?;
    retry_on_intr(|| fs::fsync(&file)).on("fsync", path)
}

/// `rename(2)`. In a directory, both names are its entries.
pub fn rename(from: Place<'_>, to: &Text) -> Result<()> {
    let target = Place { path: to, ..from };
    let renamed = from.resolve().and_then(|(directory, name)| {
        let (_, new) = target.resolve()?;
        fs::renameat(directory, name, directory, new)
    });
    renamed.on("rename", from.path)
}

/// `unlink(2)`
pub fn unlink(place: Place<'_>) -> Result<()> {
    place.unlink().on("unlink", place.path)
}

/// Creates one directory with mode 0700.
pub fn make_directory(path: &Text) -> Result<()> {
    fs::mkdir(path, Mode::RWXU).on("mkdir", path)
}

/// `rmdir(2)` of an entry of a directory. ENOTEMPTY if it has entries.
pub fn remove_directory(place: Place<'_>) -> Result<()> {
    let removed = place
        .resolve()
        .and_then(|(directory, name)| fs::unlinkat(directory, name, AtFlags::REMOVEDIR));
    removed.on("rmdir", place.path)
}

/// Returns the names in a directory, sorted by their bytes, without `.` and `..`. EILSEQ if one is
/// not UTF-8.
pub fn read_directory(path: &Text) -> Result<Vec<String>> {
    names_in(open(path, OFlags::RDONLY | OFlags::DIRECTORY)?, path)
}

/// The same for an open directory.
pub fn read_open_directory(directory: BorrowedFd<'_>) -> Result<Vec<String>> {
    // The descriptor may be one that only locates the directory (O_PATH).
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let path = format!("/proc/self/fd/{}", directory.as_raw_fd());
    names_in(
        fs::openat(directory, ".", flags, Mode::empty()).on("open", &path)?,
        path,
    )
}

fn names_in(directory: OwnedFd, path: impl fmt::Display) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::new(directory).on("getdents64", &path)? {
        let entry = entry.on("getdents64", &path)?;
        match entry.file_name().to_bytes() {
            b"." | b".." => {}
            name => names.push(
                String::from_utf8(name.to_vec())
                    .map_err(|_| Errno::ILSEQ)
                    .on("getdents64", &path)?,
            ),
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Creates a symbolic link. EEXIST if the name exists.
pub fn create_link(place: Place<'_>, target: &Text) -> Result<()> {
    let created = place
        .resolve()
        .and_then(|(directory, name)| fs::symlinkat(target, directory, name));
    created.on("symlink", place.path)
}

/// Returns the target of a symbolic link, unresolved.
pub fn read_link(place: Place<'_>) -> Result<String> {
    let read = place
        .resolve()
        .and_then(|(directory, name)| fs::readlinkat(directory, name, Vec::new()));
    let target = read.on("readlink", place.path)?;
    target
        .into_string()
        .map_err(|_| Errno::ILSEQ)
        .on("readlink", place.path)
}

/// Closes a descriptor by its number. EBADF if the number is negative or not open.
pub fn close(fd: RawFd) -> Result<()> {
    if fd < 0 {
        return Err(HostError::new(Errno::BADF, "close"));
    }
    // SAFETY: no `OwnedFd` has this number, because calls that return a descriptor to TypeScript
    // give up its ownership.
    unsafe { io::try_close(fd) }.during("close")
}

/// `open(2)` with O_CLOEXEC. A file that it creates has mode 0600.
pub(super) fn open(path: &Text, flags: OFlags) -> Result<OwnedFd> {
    Place { directory: None, path }.open(flags)
}
