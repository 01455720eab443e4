//! This process: its arguments, environment, standard streams, signals and clocks.

use std::{
    env,
    ffi::CStr,
    os::fd::BorrowedFd,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::{
    io::{Errno, retry_on_intr},
    process::getpid,
    rand::{GetRandomFlags, getrandom},
    stdio::{stderr, stdin, stdout},
    termios::isatty,
    time::{ClockId, clock_gettime},
};

use super::streams::{read_text, write_all};
use crate::{
    error::{Attempt, HostError, Result},
    text::Text,
};

/// The signals that a runtime uses to end a plugin.
const ENDING: [libc::c_int; 3] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP];

static ARGUMENTS: OnceLock<Vec<&'static CStr>> = OnceLock::new();
static IGNORING: AtomicBool = AtomicBool::new(false);

/// Stores the command line without the program's own name. musl passes the command line only to
/// `main`.
pub fn set_args(args: Vec<&'static CStr>) {
    // Only main calls this, once.
    let _ = ARGUMENTS.set(args);
}

/// Returns the command line without the program's own name. EILSEQ if it is not UTF-8.
pub fn args() -> Result<Vec<&'static str>> {
    let args = ARGUMENTS.get().map_or(&[][..], Vec::as_slice);
    args.iter()
        .map(|arg| arg.to_str().map_err(|_| HostError::new(Errno::ILSEQ, "execve")))
        .collect()
}

/// Returns the environment. Invalid UTF-8 becomes U+FFFD: a variable must not count as unset
/// because of invalid bytes.
pub fn env() -> impl Iterator<Item = (String, String)> {
    env::vars_os().map(|(name, value)| {
        (
            name.to_string_lossy().into_owned(),
            value.to_string_lossy().into_owned(),
        )
    })
}

/// Returns this process's ID.
pub fn pid() -> i32 {
    getpid().as_raw_nonzero().get()
}

/// Returns all of standard input. EFBIG beyond `limit` bytes, EILSEQ if it is not UTF-8.
pub fn read_stdin(limit: usize) -> Result<String> {
    read_text(stdin(), limit).during("read")
}

/// Writes all of the text to standard output.
pub fn write_stdout(text: &Text) -> Result<()> {
    text.utf8()
        .and_then(|text| write_all(stdout(), text.as_bytes()))
        .during("write")
}

/// Writes all of the text to standard error. Ignores a failure.
pub fn write_stderr(text: &Text) {
    let _ = write_all(stderr(), text.to_string().as_bytes());
}

/// Whether the descriptor is a terminal.
pub fn is_terminal(fd: BorrowedFd<'_>) -> bool {
    isatty(fd)
}

/// Ends the process at once. Nothing is buffered, and the kernel frees files and memory faster than
/// this process would.
pub fn exit(status: i32) -> ! {
    // SAFETY: `_exit` takes a number and does not return.
    unsafe { libc::_exit(status) }
}

/// Ignores the signals that a runtime uses to end a plugin, until this process ends.
pub fn ignore_signals() {
    IGNORING.store(true, Relaxed);
    set_handlers(libc::SIG_IGN);
}

/// Whether `ignore_signals` was called. Children inherit ignored signals, so code that runs a child
/// must undo that there.
pub(super) fn ignores_signals() -> bool {
    IGNORING.load(Relaxed)
}

/// Undoes `ignore_signals`, in a child between fork and exec.
pub(super) fn heed_signals() {
    set_handlers(libc::SIG_DFL);
}

/// Blocks the signals that end a process, and waits for one of them. Returns whether one arrived in
/// time.
///
/// The first process of a container must block them: otherwise the kernel would discard signals
/// without a handler.
pub fn await_end(timeout: Duration) -> Result<bool> {
    // SAFETY: sigemptyset initializes the set, and the set outlives the calls. The host has one
    // thread.
    let signals = unsafe {
        let mut signals = std::mem::zeroed();
        libc::sigemptyset(&mut signals);
        for signal in ENDING {
            libc::sigaddset(&mut signals, signal);
        }
        libc::sigprocmask(libc::SIG_BLOCK, &signals, std::ptr::null_mut());
        signals
    };
    let start = Instant::now();
    loop {
        let left = timeout.saturating_sub(start.elapsed());
        let time = libc::timespec {
            // The field's width differs between targets. The value is at most one year.
            tv_sec: left.as_secs() as _,
            tv_nsec: left.subsec_nanos() as libc::c_long,
        };
        // SAFETY: both pointers are valid during the call.
        if unsafe { libc::sigtimedwait(&signals, std::ptr::null_mut(), &time) } >= 0 {
            return Ok(true);
        }
        match Errno::from_io_error(&std::io::Error::last_os_error()) {
            Some(Errno::AGAIN) => return Ok(false),
            // The process was stopped and continued, or is being traced.
            Some(Errno::INTR) => {}
            errno => return Err(HostError::new(errno.unwrap_or(Errno::INVAL), "rt_sigtimedwait")),
        }
    }
}

fn set_handlers(handler: libc::sighandler_t) {
    for signal in ENDING {
        // SAFETY: both handlers are the kernel's own, and signal(2) is allowed between fork and
        // exec.
        unsafe { libc::signal(signal, handler) };
    }
}

/// Returns CLOCK_MONOTONIC in milliseconds.
pub fn monotonic() -> f64 {
    milliseconds(ClockId::Monotonic)
}

/// Returns CLOCK_REALTIME in milliseconds.
pub fn time() -> f64 {
    milliseconds(ClockId::Realtime)
}

fn milliseconds(clock: ClockId) -> f64 {
    let now = clock_gettime(clock);
    now.tv_sec as f64 * 1e3 + now.tv_nsec as f64 / 1e6
}

/// Sleeps for the whole duration, even if signals arrive.
pub fn sleep(duration: Duration) {
    thread::sleep(duration);
}

/// Returns a random number of 32 bits.
pub fn random() -> Result<u32> {
    let mut bytes = [0; 4];
    // A buffer of up to 256 bytes is filled completely.
    retry_on_intr(|| getrandom(&mut bytes, GetRandomFlags::empty())).during("getrandom")?;
    Ok(u32::from_ne_bytes(bytes))
}

/// Returns the SHA-256 of the text's UTF-8 bytes in lower-case hex. EILSEQ if the text is not
/// UTF-8.
pub fn sha256(text: &Text) -> Result<String> {
    let digest = hmac_sha256::Hash::hash(text.utf8().during("sha256")?.as_bytes());
    Ok(digest
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect())
}
