//! Finds the plugin in this process's own executable.

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

/// A plugin that is ready to run.
pub enum Plugin {
    /// The module was already evaluated when the executable was built.
    Frozen(&'static Engine),
    /// The module's bytecode.
    Bytecode(&'static [u8]),
}

/// Returns the plugin in this process's own executable. Allocates nothing. Nothing may have been
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
        // SAFETY: a new mapping at an address that the kernel chooses.
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
        // SAFETY: the mapping has that many bytes and is never unmapped.
        return Ok(Plugin::Bytecode(unsafe {
            slice::from_raw_parts(bytecode.cast(), length)
        }));
    }
    // SAFETY: nothing was allocated yet, and `freeze` of this same host wrote the heap.
    unsafe { heap::restore(&executable, offset, length) }?;
    // SAFETY: the restored heap holds the engine at this address and is never unmapped.
    Ok(Plugin::Frozen(unsafe { &*(engine as usize as *const Engine) }))
}
