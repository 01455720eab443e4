//! The end of a plugin's executable: the plugin and a trailer, appended to the host.
//!
//! ```text
//! host's ELF file | filling | bytecode or heap | label | its length | the engine's address |
//! format | magic
//! ```
//!
//! The bytecode or heap begins at a multiple of the architecture's largest page size. The label is
//! the name that the builder gives to the plugin, in UTF-8, padded with NUL bytes. The last four
//! fields have 8 bytes each, little endian. "Its length" is the length of the bytecode or heap.

use std::{fmt, io, os::fd::AsFd};

use rustix::{
    fs::fstat,
    io::{Errno, pread},
};

use crate::arena::page_size;

const MAGIC: u64 = u64::from_le_bytes(*b"\x7fPLUGIN\n");

/// Version of the format. Raise it when a host can no longer run the output of an earlier
/// `compile`.
pub(crate) const FORMAT: u64 = 3;

/// Maximum length of a label in bytes.
pub const LABEL: usize = 64;

const WORDS: usize = 4;

const TRAILER: usize = LABEL + WORDS * size_of::<u64>();

/// Why an executable has no plugin.
#[derive(Debug)]
pub enum Fault {
    /// The executable cannot be read.
    Unreadable(Errno),
    /// Nothing is appended: this is the bare host, or a truncated file.
    Missing,
    /// The appended data have another format, or another length than the trailer states.
    Damaged,
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Self {
        Self::Unreadable(errno)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(errno) => {
                write!(
                    f,
                    "/proc/self/exe: the plugin within it cannot be read: {}",
                    io::Error::from(*errno)
                )?;
                match *errno {
                    Errno::NOENT => f.write_str("; mount /proc"),
                    _ => Ok(()),
                }
            }
            Self::Missing => f.write_str("there is no plugin within this executable, or the file was cut short"),
            Self::Damaged => f.write_str("the plugin within this executable is damaged, or of another format"),
        }
    }
}

/// Appends bytecode, or a heap with an engine at address `engine`, to a host. Truncates a label
/// that is too long.
pub fn append(executable: &mut Vec<u8>, label: &str, payload: &[u8], engine: usize) {
    // `e_machine` of the host's ELF header. The host may be for another architecture than this
    // process.
    let aarch64 = executable.get(18..20) == Some(&183u16.to_le_bytes());
    let page = page_size(aarch64);
    executable.resize(executable.len().next_multiple_of(page), 0);
    executable.extend(payload);
    let mut field = [0; LABEL];
    for (place, byte) in field.iter_mut().zip(label.bytes()) {
        *place = byte;
    }
    executable.extend(field);
    for word in [payload.len() as u64, engine as u64, FORMAT, MAGIC] {
        executable.extend(word.to_le_bytes());
    }
}

/// Returns the label of a plugin's executable without running it, or `None` if the file contains no
/// plugin.
///
/// The label is empty if the plugin has another format.
pub fn label(file: impl AsFd) -> rustix::io::Result<Option<String>> {
    match Trailer::of(file) {
        Ok(Trailer {
            format: FORMAT, label, ..
        }) => {
            let text = label.as_flattened().split(|byte| *byte == 0).next().unwrap_or_default();
            Ok(Some(String::from_utf8_lossy(text).into_owned()))
        }
        Ok(_) => Ok(Some(String::new())),
        Err(Fault::Unreadable(errno)) => Err(errno),
        Err(_) => Ok(None),
    }
}

/// The last bytes of a plugin's executable.
pub(crate) struct Trailer {
    /// Offset of the trailer, which is the end of the payload.
    pub(crate) end: u64,
    label: [[u8; size_of::<u64>()]; LABEL / size_of::<u64>()],
    pub(crate) length: u64,
    pub(crate) engine: u64,
    pub(crate) format: u64,
}

impl Trailer {
    /// Reads the trailer of a file. Allocates nothing.
    pub(crate) fn of(file: impl AsFd) -> Result<Self, Fault> {
        let end = fstat(&file)?.st_size as u64;
        let end = end.checked_sub(TRAILER as u64).ok_or(Fault::Missing)?;
        let mut words = [[0; size_of::<u64>()]; TRAILER / size_of::<u64>()];
        pread(&file, words.as_flattened_mut(), end)?;
        let [label @ .., length, engine, format, magic] = words;
        let [length, engine, format, magic] = [length, engine, format, magic].map(u64::from_le_bytes);
        if magic != MAGIC {
            return Err(Fault::Missing);
        }
        Ok(Self {
            end,
            label,
            length,
            engine,
            format,
        })
    }
}
