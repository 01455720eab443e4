//! The executable of a plugin: this host, with the plugin appended.
//!
//! There is no `fn main`, because Rust's start-up code would search for the stack's guard page.
//! That search takes a fifth of an empty program's time. This file does the rest of the start-up
//! code's work, as far as it is needed.
#![no_main]

mod limits;
mod unwinding;

use std::{
    ffi::{CStr, c_char, c_int},
    mem::ManuallyDrop,
    os::fd::IntoRawFd,
    path::Path,
};

use host::{
    calls::{labelled_tap, process},
    engine::{Engine, Intrinsics},
    frozen,
    heap::Heap,
    payload::{self, Plugin},
    trailer::Fault,
};
use rustix::{
    fs::{Mode, OFlags, open},
    io::{Errno, fcntl_getfd},
    stdio::{stderr, stdin, stdout},
};

#[global_allocator]
static ALLOCATOR: Heap = Heap;

/// `EX_SOFTWARE` of sysexits.h: the executable or its plugin is faulty.
const FAULTY: c_int = 70;

/// The function that libc's start-up code calls.
///
/// # Safety
///
/// `argv` must have `argc` strings that are valid until the process ends.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    // Before anything that needs a stack of that size.
    let stack = limits::ensure_stack();
    // Nothing may be allocated before.
    let plugin = payload::find_own();
    if matches!(plugin, Err(Fault::Unreadable(Errno::NOMEM))) {
        limits::report_no_memory();
        process::exit(FAULTY);
    }
    // SAFETY: the caller, libc, guarantees `argc` strings. The null pointer after the last one is
    // not read.
    let mut words = (0..argc as usize).map(|word| unsafe { CStr::from_ptr(*argv.add(word)) });
    let program = words.next().unwrap_or_default();
    let args: Vec<_> = words.collect();
    open_standard_streams();
    // A write to a closed pipe should fail with EPIPE, and one beyond RLIMIT_FSIZE with EFBIG,
    // instead of killing the process. If the parent process ignored SIGCHLD, the kernel would
    // discard the exit status of our children.
    for (signal, handler) in [
        (libc::SIGPIPE, libc::SIG_IGN),
        (libc::SIGXFSZ, libc::SIG_IGN),
        (libc::SIGCHLD, libc::SIG_DFL),
    ] {
        // SAFETY: both handlers are the kernel's own.
        unsafe { libc::signal(signal, handler) };
    }

    let status = labelled_tap::serve(&args).unwrap_or_else(|| {
        let freeze = args == [frozen::FREEZE];
        process::set_args(args);
        stack.and_then(|()| run(plugin, freeze)).map_or_else(
            |fault| {
                let program = Path::new(program.to_str().unwrap_or_default())
                    .file_name()
                    .unwrap_or_default();
                limits::report(&program.to_string_lossy(), &fault);
                FAULTY
            },
            |()| 0,
        )
    });
    process::exit(status)
}

fn run(plugin: Result<Plugin, Fault>, freeze: bool) -> Result<(), String> {
    match plugin.map_err(|fault| fault.to_string())? {
        Plugin::Frozen(engine) => engine.run_main(),
        // SAFETY: `compile` of the same version appended the bytecode.
        Plugin::Bytecode(bytecode) if freeze => unsafe { frozen::freeze(bytecode) },
        Plugin::Bytecode(bytecode) => {
            let engine = Engine::start_in::<Intrinsics>(Heap);
            // Leaks the engine: the kernel frees a process's memory faster than the engine would.
            let engine = ManuallyDrop::new(engine.map_err(|error| format!("the engine does not start: {error}"))?);
            // SAFETY: `compile` of the same version appended the bytecode.
            unsafe { engine.run(bytecode) }?;
            engine.run_main()
        }
    }
}

/// Opens /dev/null for each standard stream that is closed, so that no file opened later gets its
/// number.
fn open_standard_streams() {
    for stream in [stdin(), stdout(), stderr()] {
        if fcntl_getfd(stream).is_err() {
            // The kernel uses the lowest free number, which is this stream's.
            open(c"/dev/null", OFlags::RDWR, Mode::empty())
                .map_or_else(|_| process::exit(FAULTY), |fd| fd.into_raw_fd());
        }
    }
}
