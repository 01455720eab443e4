//! Freezing: a plugin's module is evaluated when its executable is built, and what the heap then
//! holds is what every process starts from.

use std::{ptr, slice};

use rquickjs::Object;
use rustix::{io::write, stdio::stdout};

use crate::{
    engine::{Engine, Intrinsics},
    freezing,
    heap::{self, Heap},
};

/// The private argument that makes a host with bytecode freeze it, to standard output.
pub const FREEZE: &std::ffi::CStr = c"--freeze";

/// A pointer so far from one into the stack points elsewhere.
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
    // SAFETY: as for this function.
    unsafe { engine.run(bytecode) }?;
    // It would be the same in every process.
    engine
        .with(|ctx| ctx.globals().get::<_, Object<'_>>("Math")?.remove("random"))
        .map_err(|error| error.to_string())?;
    let address = [ptr::from_ref(engine).addr()];
    // SAFETY: the heap is not used again.
    let contents = unsafe { heap::contents() };
    let here = (&raw const address).addr();
    // The stack is elsewhere in every process; what pointed there is of no use.
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
