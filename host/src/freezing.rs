//! Whether this process freezes a plugin. During freezing, clock and randomness are fixed, so that
//! two builds freeze the same bytes.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use libc::{c_int, c_uint, c_void, size_t, ssize_t, timeval};
use rustix::time::{ClockId, clock_gettime};

static FREEZING: AtomicBool = AtomicBool::new(false);

/// Whether this process freezes a plugin instead of running it.
pub(crate) fn is_freezing() -> bool {
    FREEZING.load(Relaxed)
}

/// Marks this process as one that freezes a plugin, until it exits.
pub(crate) fn begin() {
    FREEZING.store(true, Relaxed);
}

/// Replaces libc's `getrandom`, which provides the keys of Rust's hash maps. Returns zeros during
/// freezing.
///
/// # Safety
///
/// As for getrandom(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(buffer: *mut c_void, length: size_t, flags: c_uint) -> ssize_t {
    if is_freezing() {
        // SAFETY: the caller's buffer has `length` bytes.
        unsafe { buffer.cast::<u8>().write_bytes(0, length) };
        return length as ssize_t;
    }
    // SAFETY: passes on the caller's arguments.
    unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) as ssize_t }
}

/// Replaces libc's `gettimeofday`, which seeds the engine's random numbers. Returns the start of
/// 1970 during freezing.
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
    // SAFETY: the caller's pointer is valid for writing.
    unsafe {
        time.write(timeval {
            tv_sec: seconds,
            tv_usec: nanoseconds / 1000,
        });
    }
    0
}
