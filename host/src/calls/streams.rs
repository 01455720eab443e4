//! Whole reads and writes that retry after interruptions and accept descriptors that another
//! process made non-blocking.

use std::os::fd::BorrowedFd;

use rustix::{
    buffer::spare_capacity,
    event::{PollFd, PollFlags, poll},
    io::{Errno, Result, read, retry_on_intr, write},
};

/// Reads up to the end and returns UTF-8. EFBIG beyond `limit` bytes, EILSEQ if it is not UTF-8.
pub(super) fn read_text(fd: BorrowedFd<'_>, limit: usize) -> Result<String> {
    let mut bytes = Vec::with_capacity(4096);
    loop {
        match read(fd, spare_capacity(&mut bytes)) {
            Ok(0) => return String::from_utf8(bytes).map_err(|_| Errno::ILSEQ),
            Ok(_) if bytes.len() > limit => return Err(Errno::FBIG),
            Ok(_) => bytes.reserve(bytes.len().min(4096)),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait(fd, PollFlags::IN)?,
            Err(errno) => return Err(errno),
        }
    }
}

/// Fills the buffer. Returns fewer bytes only at the end of the file.
pub(super) fn read_chunk(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match read(fd, &mut buffer[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait(fd, PollFlags::IN)?,
            Err(errno) => return Err(errno),
        }
    }
    Ok(length)
}

/// Writes all bytes.
pub(super) fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match write(fd, bytes) {
            Ok(0) => return Err(Errno::IO),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait(fd, PollFlags::OUT)?,
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn wait(fd: BorrowedFd<'_>, event: PollFlags) -> Result<()> {
    retry_on_intr(|| poll(&mut [PollFd::from_borrowed_fd(fd, event)], None)).map(drop)
}
