//! This process: its arguments, environment, standard streams, signals and clock.

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
    io::Errno,
    process::getpid,
    stdio::{stderr, stdin, stdout},
    termios::isatty,
    time::{ClockId, clock_gettime},
};

use super::streams::{read_text, write_all};
use crate::{
    error::{Attempt, HostError, Result},
    text::Text,
};

/// The signals that a runtime ends a plugin with.
const ENDING: [libc::c_int; 3] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP];

static ARGUMENTS: OnceLock<Vec<&'static CStr>> = OnceLock::new();
static IGNORING: AtomicBool = AtomicBool::new(false);

/// Remembers the command line without the program's own name: musl gives it to `main` alone.
pub fn set_args(args: Vec<&'static CStr>) {
    // Only main calls this, once.
    let _ = ARGUMENTS.set(args);
}

/// The command line without the program's own name; EILSEQ where it is not UTF-8.
pub fn args() -> Result<Vec<&'static str>> {
    let args = ARGUMENTS.get().map_or(&[][..], Vec::as_slice);
    args.iter()
        .map(|arg| arg.to_str().map_err(|_| HostError::new(Errno::ILSEQ, "execve")))
        .collect()
}

/// The environment. What is not UTF-8 has U+FFFD in its place: a variable must not count as unset
/// for that.
pub fn env() -> impl Iterator<Item = (String, String)> {
    env::vars_os().map(|(name, value)| {
        (
            name.to_string_lossy().into_owned(),
            value.to_string_lossy().into_owned(),
        )
    })
}

/// This process's ID.
pub fn pid() -> i32 {
    getpid().as_raw_nonzero().get()
}

/// All of standard input; EFBIG beyond `limit` bytes, EILSEQ if it is not UTF-8.
pub fn read_stdin(limit: usize) -> Result<String> {
    read_text(stdin(), limit).during("read")
}

/// Writes all of the text to standard output.
pub fn write_stdout(text: &Text) -> Result<()> {
    text.utf8()
        .and_then(|text| write_all(stdout(), text.as_bytes()))
        .during("write")
}

/// Writes all of the text to standard error; a failure is ignored.
pub fn write_stderr(text: &Text) {
    let _ = write_all(stderr(), text.to_string().as_bytes());
}

/// Whether a person sees what is written there.
pub fn is_terminal(fd: BorrowedFd<'_>) -> bool {
    isatty(fd)
}

/// Ends the process at once: nothing is buffered, and what is open or allocated the kernel takes
/// back sooner.
pub fn exit(status: i32) -> ! {
    // SAFETY: it takes a number and does not return.
    unsafe { libc::_exit(status) }
}

/// From here on the signals that a runtime ends a plugin with are ignored.
pub fn ignore_signals() {
    IGNORING.store(true, Relaxed);
    set_handlers(libc::SIG_IGN);
}

/// Whether `ignore_signals` was called: children inherit that, so that whoever makes one must undo
/// it there.
pub(super) fn ignores_signals() -> bool {
    IGNORING.load(Relaxed)
}

/// Undoes `ignore_signals`, in a child between fork and exec.
pub(super) fn heed_signals() {
    set_handlers(libc::SIG_DFL);
}

/// From here on the signals that end a process are held back, and waited for: whether one came in
/// that time.
///
/// The first process of a container has to ask for them, or the kernel would keep them from it.
pub fn await_end(timeout: Duration) -> Result<bool> {
    // SAFETY: the set is filled by sigemptyset, and outlives the calls; the host has one thread.
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
            // As wide as it is on each target: a year at most.
            tv_sec: left.as_secs() as _,
            tv_nsec: left.subsec_nanos() as libc::c_long,
        };
        // SAFETY: both are there for as long as the call takes.
        if unsafe { libc::sigtimedwait(&signals, std::ptr::null_mut(), &time) } >= 0 {
            return Ok(true);
        }
        match Errno::from_io_error(&std::io::Error::last_os_error()) {
            Some(Errno::AGAIN) => return Ok(false),
            // Stopped and continued, or traced.
            Some(Errno::INTR) => {}
            errno => return Err(HostError::new(errno.unwrap_or(Errno::INVAL), "rt_sigtimedwait")),
        }
    }
}

fn set_handlers(handler: libc::sighandler_t) {
    for signal in ENDING {
        // SAFETY: both handlers are the kernel's own, and signal(2) may be called between fork and
        // exec.
        unsafe { libc::signal(signal, handler) };
    }
}

/// Milliseconds of CLOCK_MONOTONIC.
pub fn monotonic() -> f64 {
    milliseconds(ClockId::Monotonic)
}

/// Milliseconds of CLOCK_REALTIME.
pub fn time() -> f64 {
    milliseconds(ClockId::Realtime)
}

fn milliseconds(clock: ClockId) -> f64 {
    let now = clock_gettime(clock);
    now.tv_sec as f64 * 1e3 + now.tv_nsec as f64 / 1e6
}

/// Sleeps that long, however many signals come meanwhile.
pub fn sleep(duration: Duration) {
    thread::sleep(duration);
}

/// The SHA-256 of the text's UTF-8 bytes in lower-case hex; EILSEQ where it has none.
pub fn sha256(text: &Text) -> Result<String> {
    let digest = hmac_sha256::Hash::hash(text.utf8().during("sha256")?.as_bytes());
    Ok(digest
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect())
}
