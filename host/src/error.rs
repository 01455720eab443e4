//! The error of every call: which system call failed, on what, and why.

use std::{fmt, io};

use rustix::io::Errno;

/// A failed system call. TypeScript receives it as an `Error` with `code`, `syscall` and `path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostError {
    /// Why the call failed.
    pub errno: Errno,
    /// The system call, such as `open`.
    pub syscall: &'static str,
    /// The file, link or program that the call was about, if any.
    pub path: Option<String>,
}

/// The result of every call.
pub type Result<T> = std::result::Result<T, HostError>;

impl HostError {
    /// A failure that is not about a file.
    pub const fn new(errno: Errno, syscall: &'static str) -> Self {
        Self {
            errno,
            syscall,
            path: None,
        }
    }

    /// A failure about a file, link or program.
    pub fn on(errno: Errno, syscall: &'static str, path: impl fmt::Display) -> Self {
        Self {
            errno,
            syscall,
            path: Some(path.to_string()),
        }
    }

    /// The errno's name, such as `ENOENT`.
    pub fn code(&self) -> &'static str {
        name(self.errno.raw_os_error())
    }
}

/// Formats the error like `open /run/netns/blue: No such file or directory (ENOENT)`.
impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.syscall)?;
        if let Some(path) = &self.path {
            write!(f, " {path}")?;
        }
        let words = io::Error::from(self.errno).to_string();
        // The standard library ends its text with the number, which is less helpful than the name.
        let words = words.split(" (os error").next().unwrap_or_default();
        write!(f, ": {words} ({})", self.code())
    }
}

/// Names the system call that failed.
pub trait Attempt<T> {
    /// Turns the error into a [`HostError`] of this system call.
    fn during(self, syscall: &'static str) -> Result<T>;
    /// Turns the error into a [`HostError`] of this system call on this file, link or program.
    fn on(self, syscall: &'static str, path: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<Cause>> Attempt<T> for std::result::Result<T, E> {
    fn during(self, syscall: &'static str) -> Result<T> {
        self.map_err(|error| HostError::new(error.into().0, syscall))
    }

    fn on(self, syscall: &'static str, path: impl fmt::Display) -> Result<T> {
        self.map_err(|error| HostError::on(error.into().0, syscall, path))
    }
}

/// The errno of an error of rustix or of the standard library.
pub struct Cause(Errno);

impl From<Errno> for Cause {
    fn from(errno: Errno) -> Self {
        Self(errno)
    }
}

impl From<io::Error> for Cause {
    /// The standard library's own errors (such as a NUL byte in an argument) have no errno and
    /// become EINVAL.
    fn from(error: io::Error) -> Self {
        Self(Errno::from_io_error(&error).unwrap_or(Errno::INVAL))
    }
}

macro_rules! names {
    ($($name:ident)*) => {
        /// Returns the name of an errno. Errnos that are internal to the kernel have no name in
        /// user space.
        fn name(errno: i32) -> &'static str {
            match errno {
                $(libc::$name => stringify!($name),)*
                _ => "EUNKNOWN",
            }
        }
    };
}

// The names of asm-generic/errno-base.h and asm-generic/errno.h, in that order. EAGAIN is also
// EWOULDBLOCK, and EOPNOTSUPP is also ENOTSUP.
names! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST EXDEV
    ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE
    EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG EUNATCH ENOCSI
    EL2HLT EBADE EBADR EXFULL ENOANO EBADRQC EBADSLT EBFONT ENOSTR ENODATA ETIME ENOSR ENONET ENOPKG EREMOTE ENOLINK
    EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD EREMCHG ELIBACC ELIBBAD ELIBSCN ELIBMAX
    ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT
    ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET
    ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH
    EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL EISNAM EREMOTEIO EDQUOT ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY
    EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD ENOTRECOVERABLE ERFKILL EHWPOISON
}
