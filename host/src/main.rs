//! A plugin's executable: this host with the plugin's bytecode appended.
//!
//! There is no `fn main`: before that, Rust's start-up code would look for the stack's guard page, which takes a fifth
//! of an empty program's time. What else it does, and is needed, is done here.
#![no_main]

use std::{
    ffi::{CStr, c_char, c_int},
    fs::File,
    mem::ManuallyDrop,
    os::fd::IntoRawFd,
    path::Path,
};

use host::{
    calls::{labelled_tap, process},
    engine::{Engine, Intrinsics},
    payload,
};
use rustix::{
    fs::{Mode, OFlags, open},
    io::fcntl_getfd,
    stdio::{stderr, stdin, stdout},
};

/// `EX_SOFTWARE` of sysexits.h: the executable or the plugin in it is faulty.
const FAULTY: c_int = 70;

/// Where the kernel begins.
///
/// # Safety
///
/// `argv` must have `argc` strings that last for ever.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    // SAFETY: the caller, libc, says so; the kernel gives a null pointer after the last of them.
    let mut words = (0..argc as usize).map(|word| unsafe { CStr::from_ptr(*argv.add(word)) });
    let program = words.next().unwrap_or_default();
    let args: Vec<_> = words.collect();
    open_standard_streams();
    // A write to a closed pipe is to fail with EPIPE instead of ending the process, and a child's exit status is lost
    // where whoever started us ignores SIGCHLD.
    for (signal, handler) in [(libc::SIGPIPE, libc::SIG_IGN), (libc::SIGCHLD, libc::SIG_DFL)] {
        // SAFETY: both handlers are the kernel's own.
        unsafe { libc::signal(signal, handler) };
    }

    let status = labelled_tap::serve(&args).unwrap_or_else(|| {
        process::set_args(args);
        run_plugin().map_or_else(
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

fn run_plugin() -> Result<(), String> {
    let executable = File::open("/proc/self/exe").map_err(|error| payload::Fault::from(error).to_string())?;
    let bytecode = payload::read(&executable).map_err(|fault| fault.to_string())?;
    let engine = Engine::start::<Intrinsics>().map_err(|error| format!("the engine does not start: {error}"))?;
    // The kernel takes its memory back sooner than it could free it.
    let engine = ManuallyDrop::new(engine);
    // SAFETY: `compile` of the same version appended it.
    unsafe { engine.run(&bytecode) }
}

/// Opens /dev/null for each standard stream that is closed, lest a file opened later take its number.
fn open_standard_streams() {
    for stream in [stdin(), stdout(), stderr()] {
        if fcntl_getfd(stream).is_err() {
            // The lowest free number is given out first, so that it is this one's.
            open(c"/dev/null", OFlags::RDWR, Mode::empty())
                .map_or_else(|_| process::exit(FAULTY), |fd| fd.into_raw_fd());
        }
    }
}
