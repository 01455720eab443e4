//! Calls on files and directories: whole reads and writes, and changes of names.

use std::{
    os::fd::{AsFd, OwnedFd, RawFd},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{self, Access, Dir, FileType, FlockOperation, Mode, OFlags},
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
}

/// `stat(2)`, or `lstat(2)` if `follow` is false.
pub fn stat(path: &Text, follow: bool) -> Result<Stat> {
    let stat = if follow {
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
pub fn read(path: &Text, limit: usize, follow: bool) -> Result<String> {
    let nofollow = if follow { OFlags::empty() } else { OFlags::NOFOLLOW };
    let file = open(path, OFlags::RDONLY | OFlags::NONBLOCK | nofollow)?;
    read_text(file.as_fd(), limit).on("read", path)
}

/// Writes to an existing file, in one `write(2)` from its start. EIO if the kernel accepted only a
/// part.
pub fn write(path: &Text, text: &Text) -> Result<()> {
    write_once(path, OFlags::WRONLY, text)
}

/// Appends to a file in one `write(2)`. Creates a missing file with mode 0600. Never blocks and
/// follows no symbolic link.
pub fn append(path: &Text, text: &Text) -> Result<()> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    write_once(path, flags, text)
}

fn write_once(path: &Text, flags: OFlags, text: &Text) -> Result<()> {
    let file = open(path, flags)?;
    let bytes = text.utf8().on("write", path)?.as_bytes();
    let written = retry_on_intr(|| io::write(&file, bytes)).on("write", path)?;
    if written == bytes.len() {
        Ok(())
    } else {
        Err(HostError::on(Errno::IO, "write", path))
    }
}

/// Creates a file with mode 0600 and writes all of the text. If that fails, no file remains.
pub fn create(path: &Text, text: &Text) -> Result<()> {
    let bytes = text.utf8().on("write", path)?.as_bytes();
    let file = open(path, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?;
    write_all(file.as_fd(), bytes).on("write", path).inspect_err(|_| {
        // The error to report is the write's.
        let _ = fs::unlink(path);
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

/// `rename(2)`
pub fn rename(from: &Text, to: &Text) -> Result<()> {
    fs::rename(from, to).on("rename", from)
}

/// `unlink(2)`
pub fn unlink(path: &Text) -> Result<()> {
    fs::unlink(path).on("unlink", path)
}

/// Creates one directory with mode 0700.
pub fn make_directory(path: &Text) -> Result<()> {
    fs::mkdir(path, Mode::RWXU).on("mkdir", path)
}

/// Returns the names in a directory, sorted by their bytes, without `.` and `..`. EILSEQ if one is
/// not UTF-8.
pub fn read_directory(path: &Text) -> Result<Vec<String>> {
    let directory = open(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
    let mut names = Vec::new();
    for entry in Dir::new(directory).on("getdents64", path)? {
        let entry = entry.on("getdents64", path)?;
        match entry.file_name().to_bytes() {
            b"." | b".." => {}
            name => names.push(
                String::from_utf8(name.to_vec())
                    .map_err(|_| Errno::ILSEQ)
                    .on("getdents64", path)?,
            ),
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Returns the target of a symbolic link, unresolved.
pub fn read_link(path: &Text) -> Result<String> {
    let target = fs::readlink(path, Vec::new()).on("readlink", path)?;
    target.into_string().map_err(|_| Errno::ILSEQ).on("readlink", path)
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

/// Opens the path and takes an exclusive `flock(2)` on it. ETIMEDOUT if another process keeps the
/// lock until the timeout.
pub fn lock(path: &Text, timeout: Duration) -> Result<OwnedFd> {
    let file = open(path, OFlags::RDONLY | OFlags::NONBLOCK)?;
    let start = Instant::now();
    // flock(2) can wait by itself, but only a signal handler could stop it. A growing delay costs
    // less.
    let mut delay = Duration::from_micros(200);
    loop {
        match retry_on_intr(|| fs::flock(&file, FlockOperation::NonBlockingLockExclusive)) {
            Ok(()) => return Ok(file),
            Err(Errno::WOULDBLOCK) => {}
            Err(errno) => return Err(HostError::on(errno, "flock", path)),
        }
        let left = timeout.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Err(HostError::on(Errno::TIMEDOUT, "flock", path));
        }
        thread::sleep(delay.min(left));
        delay = (delay * 2).min(Duration::from_millis(20));
    }
}

/// `open(2)` with O_CLOEXEC. A file that it creates has mode 0600.
pub(super) fn open(path: &Text, flags: OFlags) -> Result<OwnedFd> {
    retry_on_intr(|| fs::open(path, flags | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::RUSR | Mode::WUSR)).on("open", path)
}
