//! The plugin within this process's own executable.

use std::{ptr, slice};

use rustix::{
    fs::{Mode, OFlags, open},
    mm::{MapFlags, ProtFlags, mmap},
};

use crate::{
    arena::PAGE,
    engine::Engine,
    heap,
    trailer::{FORMAT, Fault, Trailer},
};

/// A plugin that is ready to be run.
pub enum Plugin {
    /// Its module has been evaluated already, when the executable was built.
    Frozen(&'static Engine),
    /// Its module's bytecode.
    Bytecode(&'static [u8]),
}

/// The plugin within this process's own executable. Allocates nothing, and nothing may have been
/// allocated before.
pub fn find_own() -> Result<Plugin, Fault> {
    let executable = open(c"/proc/self/exe", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let Trailer {
        end,
        length,
        engine,
        format,
        ..
    } = Trailer::of(&executable)?;
    let offset = end
        .checked_sub(length)
        .filter(|offset| format == FORMAT && length > 0 && offset.is_multiple_of(PAGE as u64))
        .ok_or(Fault::Damaged)?;
    let length = length as usize;
    if engine == 0 {
        // SAFETY: a new mapping, wherever the kernel likes.
        let bytecode = unsafe {
            mmap(
                ptr::null_mut(),
                length,
                ProtFlags::READ,
                MapFlags::PRIVATE,
                &executable,
                offset,
            )
        }?;
        // SAFETY: it has that many bytes, and stays.
        return Ok(Plugin::Bytecode(unsafe {
            slice::from_raw_parts(bytecode.cast(), length)
        }));
    }
    // SAFETY: nothing was allocated yet, and `freeze` of this same host wrote it.
    unsafe { heap::restore(&executable, offset, length) }?;
    // SAFETY: the heap has it there, for ever.
    Ok(Plugin::Frozen(unsafe { &*(engine as usize as *const Engine) }))
}
