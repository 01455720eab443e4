//! Locks with a time limit: of a whole file, or of one byte of it.

use std::{
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::{
    fs::{self, FlockOperation, Mode, OFlags},
    io::{self, Errno, retry_on_intr},
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

/// Takes an exclusive lock on one byte of a file in a directory, which is created if it is missing:
/// `fcntl(2)` with F_OFD_SETLKW.
///
/// One file holds the locks of all objects, each at an offset of its own. Nothing is created or
/// removed for a lock, so that locking works on a full file system and leaves nothing behind.
pub fn lock_byte(directory: BorrowedFd<'_>, name: &Text, offset: u64, timeout: Duration) -> Result<OwnedFd> {
    if !is_name(name.utf8().on("open", name)?) {
        return Err(HostError::on(Errno::INVAL, "open", name));
    }
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = retry_on_intr(|| fs::openat(directory, name, flags, Mode::RUSR | Mode::WUSR)).on("open", name)?;
    // SAFETY: all-zero bytes are a valid value of the type.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as _;
    lock.l_whence = libc::SEEK_SET as _;
    lock.l_start = offset
        .try_into()
        .map_err(|_| HostError::on(Errno::INVAL, "fcntl", name))?;
    lock.l_len = 1;
    let attempt = |command: libc::c_int| {
        // SAFETY: the descriptor is open, and the pointer is valid during the call.
        match unsafe { libc::fcntl(file.as_raw_fd(), command, &raw const lock) } {
            0 => Ok(()),
            _ => Err(last_errno()),
        }
    };
    let start = Instant::now();
    match retry_on_intr(|| attempt(libc::F_OFD_SETLK)) {
        Err(Errno::AGAIN | Errno::ACCESS) => wait(start, timeout, || attempt(libc::F_OFD_SETLKW)).on("fcntl", name)?,
        result => result.on("fcntl", name)?,
    }
    Ok(file)
}

fn take(file: BorrowedFd<'_>, start: Instant, timeout: Duration) -> io::Result<()> {
    match retry_on_intr(|| fs::flock(file, FlockOperation::NonBlockingLockExclusive)) {
        Err(Errno::WOULDBLOCK) => wait(start, timeout, || fs::flock(file, FlockOperation::LockExclusive)),
        result => result,
    }
}

/// Makes a blocking call that returns EINTR at a signal. The kernel wakes the next waiter when the
/// lock becomes free.
fn wait(start: Instant, timeout: Duration, call: impl Fn() -> io::Result<()>) -> io::Result<()> {
    let Some(left) = timeout.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) else {
        return Err(Errno::TIMEDOUT);
    };
    let _alarm = Alarm::after(left)?;
    loop {
        match call() {
            Err(Errno::INTR) if start.elapsed() < timeout => {}
            Err(Errno::INTR) => return Err(Errno::TIMEDOUT),
            result => return result,
        }
    }
}

fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}

/// SIGALRM to this thread after a time, and then at every [`REPEAT`]: it interrupts a blocking
/// call.
struct Alarm {
    timer: libc::c_int,
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
                return Err(last_errno());
            }
            let mut action: libc::sigaction = std::mem::zeroed();
            // Without SA_RESTART: the interrupted call fails with EINTR.
            action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
            // It stays: a signal of an alarm that is being deleted may still arrive.
            libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut());
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
        }
    }
}
