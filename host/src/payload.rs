//! The plugin within its executable: bytecode appended to the host, found by a trailer at the very end.
//!
//! ```text
//! host's ELF file | bytecode | its length | format | magic      the last three 8 bytes each, little endian
//! ```

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
};

const MAGIC: u64 = u64::from_le_bytes(*b"\x7fPLUGIN\n");

/// To be raised whenever a host could no longer run what an earlier `compile` made.
const FORMAT: u64 = 1;

const TRAILER: usize = 3 * size_of::<u64>();

/// Why an executable has no plugin.
#[derive(Debug)]
pub enum Fault {
    /// It cannot be read.
    Unreadable(io::Error),
    /// Nothing is appended: this is the bare host, or a file cut short.
    Missing,
    /// What is appended is of another format, or not as long as its trailer says.
    Damaged,
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "the plugin within this executable cannot be read: {error}"),
            Self::Missing => f.write_str("there is no plugin within this executable, or the file was cut short"),
            Self::Damaged => f.write_str("the plugin within this executable is damaged, or of another format"),
        }
    }
}

/// Appends the bytecode to an executable.
pub fn append(executable: &mut Vec<u8>, bytecode: &[u8]) {
    executable.extend(bytecode);
    for word in [bytecode.len() as u64, FORMAT, MAGIC] {
        executable.extend(word.to_le_bytes());
    }
}

/// The bytecode at the end of an executable.
pub fn read(executable: &File) -> Result<Vec<u8>, Fault> {
    let end = executable
        .metadata()?
        .len()
        .checked_sub(TRAILER as u64)
        .ok_or(Fault::Missing)?;
    let mut trailer = [0; TRAILER];
    executable.read_exact_at(&mut trailer, end)?;
    let mut trailer = trailer.as_slice();
    let mut word = || -> io::Result<u64> {
        let mut bytes = [0; size_of::<u64>()];
        trailer.read_exact(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    };
    let (length, format, magic) = (word()?, word()?, word()?);
    if magic != MAGIC {
        return Err(Fault::Missing);
    }
    let start = end
        .checked_sub(length)
        .filter(|_| format == FORMAT)
        .ok_or(Fault::Damaged)?;
    let mut bytecode = vec![0; length as usize];
    executable.read_exact_at(&mut bytecode, start)?;
    Ok(bytecode)
}
