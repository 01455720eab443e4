//! Executables as files: what they are made for, and what they say of themselves.

use rustix::{
    fs::{FileType, OFlags, fstat},
    io::{pread, retry_on_intr},
    system::uname,
};

use super::files::open;
use crate::{
    error::{Attempt, Result},
    text::Text,
    trailer,
};

/// An executable of this same kind: a host with a plugin within.
pub struct Executable {
    /// `e_machine` of its ELF header.
    pub machine: u16,
    /// What it was labelled with when it was built; empty where it is of another format than this
    /// one's.
    pub label: String,
}

/// What the file is an executable of this kind for; nothing where it is anything else. ELOOP on a
/// symbolic link.
pub fn identify(path: &Text) -> Result<Option<Executable>> {
    let file = open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW)?;
    if FileType::from_raw_mode(fstat(&file).on("fstat", path)?.st_mode) != FileType::RegularFile {
        return Ok(None);
    }
    let mut header = [0; 20];
    let read = retry_on_intr(|| pread(&file, &mut header, 0)).on("pread64", path)?;
    // "\x7fELF", then ELFCLASS64 and ELFDATA2LSB.
    if read < header.len() || !header.starts_with(b"\x7fELF\x02\x01") {
        return Ok(None);
    }
    let machine = u16::from_le_bytes([header[18], header[19]]);
    let label = trailer::label(&file).on("pread64", path)?;
    Ok(label.map(|label| Executable { machine, label }))
}

/// What `uname(2)` calls the machine.
pub fn machine() -> String {
    uname().machine().to_string_lossy().into_owned()
}
