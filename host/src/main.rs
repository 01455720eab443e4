//! A plugin's executable: this host with the plugin appended.
//!
//! There is no `fn main`: before that, Rust's start-up code would look for the stack's guard page,
//! which takes a fifth
//! of an empty program's time. What else it does, and is needed, is done here.
#![no_main]

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
    io::fcntl_getfd,
    stdio::{stderr, stdin, stdout},
};

#[global_allocator]
static ALLOCATOR: Heap = Heap;

/// `EX_SOFTWARE` of sysexits.h: the executable or the plugin in it is faulty.
const FAULTY: c_int = 70;

/// Where the kernel begins.
///
/// # Safety
///
/// `argv` must have `argc` strings that last for ever.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    // Nothing may be allocated before.
    let plugin = payload::find_own();
    // SAFETY: the caller, libc, says so; the kernel gives a null pointer after the last of them.
    let mut words = (0..argc as usize).map(|word| unsafe { CStr::from_ptr(*argv.add(word)) });
    let program = words.next().unwrap_or_default();
    let args: Vec<_> = words.collect();
    open_standard_streams();
    // A write to a closed pipe is to fail with EPIPE instead of ending the process, and a child's
    // exit status is lost
    // where whoever started us ignores SIGCHLD.
    for (signal, handler) in [(libc::SIGPIPE, libc::SIG_IGN), (libc::SIGCHLD, libc::SIG_DFL)] {
        // SAFETY: both handlers are the kernel's own.
        unsafe { libc::signal(signal, handler) };
    }

    let status = labelled_tap::serve(&args).unwrap_or_else(|| {
        let freeze = args == [frozen::FREEZE];
        process::set_args(args);
        run(plugin, freeze).map_or_else(
            |fault| {
                let program = Path::new(program.to_str().unwrap_or_default())
                    .file_name()
                    .unwrap_or_default();
                eprintln!("{}: {fault}", program.to_string_lossy());
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
            // The kernel takes its memory back sooner than it could free it.
            let engine = ManuallyDrop::new(engine.map_err(|error| format!("the engine does not start: {error}"))?);
            // SAFETY: as above.
            unsafe { engine.run(bytecode) }?;
            engine.run_main()
        }
    }
}

/// Opens /dev/null for each standard stream that is closed, lest a file opened later take its
/// number.
fn open_standard_streams() {
    for stream in [stdin(), stdout(), stderr()] {
        if fcntl_getfd(stream).is_err() {
            // The lowest free number is given out first, so that it is this one's.
            open(c"/dev/null", OFlags::RDWR, Mode::empty())
                .map_or_else(|_| process::exit(FAULTY), |fd| fd.into_raw_fd());
        }
    }
}
