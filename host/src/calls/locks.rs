//! Locks: `flock(2)` with a time limit.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::{
    fs::{self, AtFlags, FlockOperation, Mode, OFlags},
    io::{self, Errno},
};

use super::files::{is_name, open};
use crate::{
    error::{Attempt, HostError, Result},
    text::Text,
};

/// How often a wait is interrupted after its time is over: the first signal may arrive just before
/// the wait begins.
const REPEAT: Duration = Duration::from_millis(50);

/// Opens the path and takes an exclusive lock on it. ETIMEDOUT if another process keeps the lock
/// until the timeout.
pub fn lock(path: &Text, timeout: Duration) -> Result<OwnedFd> {
    let file = open(path, OFlags::RDONLY | OFlags::NONBLOCK)?;
    take(file.as_fd(), Instant::now(), timeout).on("flock", path)?;
    Ok(file)
}

/// Takes an exclusive lock on a file of a directory, which is created if it is missing.
///
/// The holder may remove the file. Therefore a waiter that gets the lock checks that the name still
/// leads to the file that it locked, and starts again otherwise.
pub fn lock_in(directory: BorrowedFd<'_>, name: &Text, timeout: Duration) -> Result<OwnedFd> {
    let start = Instant::now();
    if !is_name(name.utf8().on("open", name)?) {
        return Err(HostError::on(Errno::INVAL, "open", name));
    }
    loop {
        let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::openat(directory, name, flags, Mode::RUSR | Mode::WUSR).on("open", name)?;
        take(file.as_fd(), start, timeout).on("flock", name)?;
        let locked = fs::fstat(&file).on("fstat", name)?;
        match fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(named) if (named.st_dev, named.st_ino) == (locked.st_dev, locked.st_ino) => return Ok(file),
            Ok(_) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(HostError::on(errno, "fstatat", name)),
        }
    }
}

fn take(file: BorrowedFd<'_>, start: Instant, timeout: Duration) -> io::Result<()> {
    match fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => {}
        result => return result,
    }
    let Some(left) = timeout.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) else {
        return Err(Errno::TIMEDOUT);
    };
    // The kernel wakes the next waiter when the lock becomes free.
    let _alarm = Alarm::after(left)?;
    loop {
        match fs::flock(file, FlockOperation::LockExclusive) {
            Err(Errno::INTR) if start.elapsed() < timeout => {}
            Err(Errno::INTR) => return Err(Errno::TIMEDOUT),
            result => return result,
        }
    }
}

/// SIGALRM to this thread after a time, and then at every [`REPEAT`]: it interrupts a blocking call.
struct Alarm {
    timer: libc::c_int,
    handler: libc::sigaction,
    mask: libc::sigset_t,
}

impl Alarm {
    fn after(time: Duration) -> io::Result<Self> {
        extern "C" fn nothing(_: libc::c_int) {}
        // SAFETY: all-zero bytes are valid values of these types. The pointers are valid during
        // the calls. The handler does nothing, so that it is safe at any moment.
        unsafe {
            let mut alarm: Self = std::mem::zeroed();
            let mut event: libc::sigevent = std::mem::zeroed();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = libc::SIGALRM;
            event.sigev_notify_thread_id = libc::gettid();
            // The kernel's own call: the C library would need a thread of its own for some events.
            if libc::syscall(
                libc::SYS_timer_create,
                libc::CLOCK_MONOTONIC,
                &raw mut event,
                &raw mut alarm.timer,
            ) < 0
            {
                return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL));
            }
            let mut action: libc::sigaction = std::mem::zeroed();
            // Without SA_RESTART: the interrupted call fails with EINTR.
            action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
            libc::sigaction(libc::SIGALRM, &raw const action, &raw mut alarm.handler);
            // The parent may have blocked the signal.
            let mut signals: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut signals);
            libc::sigaddset(&raw mut signals, libc::SIGALRM);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const signals, &raw mut alarm.mask);
            let times = [REPEAT, time].map(|time| [time.as_secs() as i64, i64::from(time.subsec_nanos())]);
            // struct __kernel_itimerspec: interval and first time, each of two numbers.
            let none: *mut libc::c_void = std::ptr::null_mut();
            libc::syscall(libc::SYS_timer_settime, alarm.timer, 0, times.as_ptr(), none);
            Ok(alarm)
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // SAFETY: all values came from the kernel, and the pointers are valid during the calls.
        unsafe {
            libc::syscall(libc::SYS_timer_delete, self.timer);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.mask, std::ptr::null_mut());
            libc::sigaction(libc::SIGALRM, &raw const self.handler, std::ptr::null_mut());
        }
    }
}
