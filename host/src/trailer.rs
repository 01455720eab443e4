//! What is at the end of a plugin's executable, after the host: found by a trailer.
//!
//! ```text
//! host's ELF file | filling | bytecode or heap | label | its length | the engine's address |
//! format | magic
//! ```
//! The bytecode or heap begins at a multiple of the architecture's largest page size. The label is
//! what the builder calls the plugin, UTF-8 filled up with NUL bytes; the last four have 8 bytes
//! each, little endian.

use std::{fmt, io, os::fd::AsFd};

use rustix::{
    fs::fstat,
    io::{Errno, pread},
};

use crate::arena::page_size;

const MAGIC: u64 = u64::from_le_bytes(*b"\x7fPLUGIN\n");

/// To be raised whenever a host could no longer run what an earlier `compile` made.
pub(crate) const FORMAT: u64 = 3;

/// How many bytes a label may have.
pub const LABEL: usize = 64;

const WORDS: usize = 4;

const TRAILER: usize = LABEL + WORDS * size_of::<u64>();

/// Why an executable has no plugin.
#[derive(Debug)]
pub enum Fault {
    /// It cannot be read.
    Unreadable(Errno),
    /// Nothing is appended: this is the bare host, or a file cut short.
    Missing,
    /// What is appended is of another format, or not as long as its trailer says.
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
                    "the plugin within this executable cannot be read: {}",
                    io::Error::from(*errno)
                )
            }
            Self::Missing => f.write_str("there is no plugin within this executable, or the file was cut short"),
            Self::Damaged => f.write_str("the plugin within this executable is damaged, or of another format"),
        }
    }
}

/// Appends bytecode, or a heap with an engine at that address, to a host; of the label, as many
/// bytes as there is room for.
pub fn append(executable: &mut Vec<u8>, label: &str, payload: &[u8], engine: usize) {
    // `e_machine` of its ELF header; the host may be another architecture's than this process.
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

/// What a plugin's executable says of itself, to whoever does not run it; nothing where the file
/// has no plugin in it.
/// The label is empty where the plugin is of another format.
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

/// What is at the very end of a plugin's executable.
pub(crate) struct Trailer {
    /// Where it begins, which is where the payload ends.
    pub(crate) end: u64,
    label: [[u8; size_of::<u64>()]; LABEL / size_of::<u64>()],
    pub(crate) length: u64,
    pub(crate) engine: u64,
    pub(crate) format: u64,
}

impl Trailer {
    /// Allocates nothing.
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
