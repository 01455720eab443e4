//! Freezing: a plugin's module is evaluated when its executable is built, and what the heap then
//! holds is what every
//! process starts from. Two builds freeze the same bytes: meanwhile there is neither time nor
//! chance.

use std::{
    ptr, slice,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use libc::{c_int, c_uint, c_void, size_t, ssize_t, timeval};
use rquickjs::Object;
use rustix::{
    io::write,
    stdio::stdout,
    time::{ClockId, clock_gettime},
};

use crate::{
    engine::{Engine, Intrinsics},
    heap::{self, Heap},
};

/// The private argument that makes a host with bytecode freeze it, to standard output.
pub const FREEZE: &std::ffi::CStr = c"--freeze";

/// A pointer so far from one into the stack points elsewhere.
const NEAR: usize = 64 << 20;

static FREEZING: AtomicBool = AtomicBool::new(false);

/// Whether this process freezes a plugin, and does not run it.
pub(crate) fn is_freezing() -> bool {
    FREEZING.load(Relaxed)
}

/// Evaluates the bytecode and writes the engine's address and the heap to standard output.
///
/// # Safety
///
/// As for [`Engine::run`].
pub unsafe fn freeze(bytecode: &[u8]) -> Result<(), String> {
    FREEZING.store(true, Relaxed);
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

/// libc's, which Rust's hash maps take their keys from; while freezing it gives zeros.
///
/// # Safety
///
/// As for getrandom(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(buffer: *mut c_void, length: size_t, flags: c_uint) -> ssize_t {
    if is_freezing() {
        // SAFETY: the caller's buffer is that long.
        unsafe { buffer.cast::<u8>().write_bytes(0, length) };
        return length as ssize_t;
    }
    // SAFETY: the caller's arguments, passed on.
    unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) as ssize_t }
}

/// libc's, which the engine seeds its random numbers with; while freezing it is 1970.
///
/// # Safety
///
/// As for gettimeofday(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gettimeofday(time: *mut timeval, _zone: *mut c_void) -> c_int {
    let (seconds, nanoseconds) = if is_freezing() {
        (0, 0)
    } else {
        let now = clock_gettime(ClockId::Realtime);
        (now.tv_sec, now.tv_nsec)
    };
    // SAFETY: the caller's pointer.
    unsafe {
        time.write(timeval {
            tv_sec: seconds,
            tv_usec: nanoseconds / 1000,
        });
    }
    0
}
