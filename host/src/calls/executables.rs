//! Identifies executables: their architecture and their label.

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

/// An executable that `compile` built: a host with a plugin.
pub struct Executable {
    /// `e_machine` of its ELF header.
    pub machine: u16,
    /// Its label from build time. Empty if the executable has another format than this one.
    pub label: String,
}

/// Identifies a host with a plugin. Returns `None` for any other file. ELOOP if the path is a
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

/// Returns the machine name of `uname(2)`.
pub fn machine() -> String {
    uname().machine().to_string_lossy().into_owned()
}
