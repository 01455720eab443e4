//! Whether this process freezes a plugin. While it does, there is neither time nor chance, so that
//! two builds freeze the same bytes.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use libc::{c_int, c_uint, c_void, size_t, ssize_t, timeval};
use rustix::time::{ClockId, clock_gettime};

static FREEZING: AtomicBool = AtomicBool::new(false);

/// Whether this process freezes a plugin, and does not run it.
pub(crate) fn is_freezing() -> bool {
    FREEZING.load(Relaxed)
}

/// From here on, it does.
pub(crate) fn begin() {
    FREEZING.store(true, Relaxed);
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
