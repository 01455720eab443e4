//! Freezing: evaluates a plugin's module when its executable is built. Every process of that
//! executable starts from the resulting heap.

use std::{ptr, slice};

use rquickjs::Object;
use rustix::{io::write, stdio::stdout};

use crate::{
    engine::{Engine, Intrinsics},
    freezing,
    heap::{self, Heap},
};

/// The private argument that makes a host with bytecode freeze the plugin, to standard output.
pub const FREEZE: &std::ffi::CStr = c"--freeze";

/// Distance in bytes. A word that differs more from a stack address does not point into the stack.
const NEAR: usize = 64 << 20;

/// Evaluates the bytecode and writes the engine's address and the heap to standard output.
///
/// # Safety
///
/// As for [`Engine::run`].
pub unsafe fn freeze(bytecode: &[u8]) -> Result<(), String> {
    freezing::begin();
    let engine = Engine::start_in::<Intrinsics>(Heap).map_err(|error| format!("the engine does not start: {error}"))?;
    let engine: &'static Engine = Box::leak(Box::new(engine));
    // SAFETY: the caller of this function fulfils the same condition.
    unsafe { engine.run(bytecode) }?;
    // Removes `Math.random`: it would return the same numbers in every process.
    engine
        .with(|ctx| ctx.globals().get::<_, Object<'_>>("Math")?.remove("random"))
        .map_err(|error| error.to_string())?;
    let address = [ptr::from_ref(engine).addr()];
    // SAFETY: the heap is not used again.
    let contents = unsafe { heap::contents() };
    let here = (&raw const address).addr();
    // The stack's address differs in every process, so a pointer into the old stack is useless.
    for word in contents.iter_mut().filter(|word| word.abs_diff(here) < NEAR) {
        *word = 0;
    }
    write_words(&address)?;
    write_words(contents)
}

fn write_words(words: &[usize]) -> Result<(), String> {
    // SAFETY: the same memory, as bytes.
    let mut bytes = unsafe { slice::from_raw_parts(words.as_ptr().cast::<u8>(), size_of_val(words)) };
    while !bytes.is_empty() {
        let written = write(stdout(), bytes).map_err(|errno| format!("the heap cannot be written: {errno}"))?;
        bytes = &bytes[written..];
    }
    Ok(())
}
