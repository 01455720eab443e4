//! Tests what a confined thread can still do: each attempt succeeds before, so that it could fail.

mod support;

use std::{
    fs::{self, File, OpenOptions},
    io::{Error, Result},
    net::TcpListener,
    os::{
        fd::AsRawFd,
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener, UnixStream},
    },
    path::Path,
    process::{Child, Command},
    thread,
};

use host::{calls::confinement::confine, text::Text};
use support::{Scratch, root};

/// The version of Landlock, 0 without it.
fn landlock() -> i64 {
    const GET_VERSION: u32 = 1;
    // SAFETY: without attributes, the call returns the version.
    unsafe { libc::syscall(444, std::ptr::null::<u8>(), 0_usize, GET_VERSION) }.max(0)
}

fn text(path: impl AsRef<Path>) -> Text {
    Text::from(path.as_ref().to_str().unwrap().as_bytes())
}

fn checked(result: libc::c_int) -> Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(Error::last_os_error())
    }
}

fn truncate(path: &Path) -> Result<()> {
    // SAFETY: the path ends with a NUL, and lives during the call.
    checked(unsafe { libc::truncate(text(path).c_string().unwrap().as_ptr(), 0) })
}

fn signal(child: &Child) -> Result<()> {
    // SAFETY: signal 0 only checks the right to send one.
    checked(unsafe { libc::kill(child.id() as libc::pid_t, 0) })
}

/// Maps a page that is writable, and makes it executable.
fn new_code() -> Result<()> {
    const SIZE: usize = 4096;
    // SAFETY: the mapping is new, and nothing else uses it.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let page = libc::mmap(
            std::ptr::null_mut(),
            SIZE,
            libc::PROT_READ | libc::PROT_WRITE,
            flags,
            -1,
            0,
        );
        assert_ne!(page, libc::MAP_FAILED);
        let result = checked(libc::mprotect(page, SIZE, libc::PROT_READ | libc::PROT_EXEC));
        libc::munmap(page, SIZE);
        result
    }
}

/// Returns the errno of a failure, 0 for success.
fn errno<T>(result: Result<T>) -> i32 {
    result.map_or_else(|error| error.raw_os_error().unwrap(), |_| 0)
}

/// A field of /proc/thread-self/status.
fn status(name: &str) -> String {
    let text = fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').trim().into()
}

struct Victims {
    own: Scratch,
    outside: Scratch,
    child: Child,
    abstract_address: SocketAddr,
    _listener: UnixListener,
}

impl Victims {
    fn new() -> Self {
        let name = format!("confinement-{}", std::process::id());
        let abstract_address = SocketAddr::from_abstract_name(name).unwrap();
        let (own, outside) = (Scratch::new(), Scratch::new());
        for place in [&own, &outside] {
            place.file("victim", "text");
        }
        Self {
            own,
            outside,
            child: Command::new("sleep").arg("60").spawn().unwrap(),
            _listener: UnixListener::bind_addr(&abstract_address).unwrap(),
            abstract_address,
        }
    }

    /// What an attacker would try, with the version of Landlock that stops it. Each attempt can be
    /// repeated.
    fn attempts(&self) -> Vec<(&'static str, i64, i32, i32)> {
        let place = |name| self.outside.path(name);
        let create = errno(File::create(place("new")));
        let directory = errno(fs::create_dir(place("directory")));
        let write = errno(OpenOptions::new().write(true).open(place("victim")));
        let cut = errno(truncate(&place("victim")));
        let link = errno(std::os::unix::fs::symlink("/etc", place("link")));
        let renamed = errno(fs::rename(place("victim"), place("renamed")));
        let back = errno(fs::rename(place("renamed"), place("victim")));
        let run = errno(Command::new("/bin/true").status());
        let listen = errno(TcpListener::bind("127.0.0.1:0"));
        let socket = errno(UnixStream::connect_addr(&self.abstract_address));
        let signalled = errno(signal(&self.child));
        for name in ["new", "link"] {
            let _ = fs::remove_file(place(name));
        }
        let _ = fs::remove_dir(place("directory"));
        let mut found = vec![
            ("create", 1, libc::EACCES, create),
            ("directory", 1, libc::EACCES, directory),
            ("write", 1, libc::EACCES, write),
            ("truncate", 3, libc::EACCES, cut),
            ("link", 1, libc::EACCES, link),
            ("rename", 1, libc::EACCES, renamed),
            ("run", 1, libc::EACCES, run),
            ("listen", 4, libc::EACCES, listen),
            ("socket", 6, libc::EPERM, socket),
            ("signal", 6, libc::EPERM, signalled),
        ];
        if renamed == 0 {
            found.push(("rename back", 1, libc::EACCES, back));
        }
        found
    }
}

impl Drop for Victims {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn a_confined_thread_can_neither_change_files_outside_nor_reach_other_processes() {
    if !root("a_confined_thread_can_neither_change_files_outside_nor_reach_other_processes") {
        return;
    }
    let version = landlock();
    let victims = Victims::new();
    for (name, _, _, found) in victims.attempts() {
        assert_eq!(found, 0, "{name} before");
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            let measures = confine(&[text(victims.own.path(""))], &[text(victims.outside.path("missing"))]);
            assert_eq!(measures.contains(&"landlock"), version > 0);
            for (name, since, expected, found) in victims.attempts() {
                if version >= since {
                    assert_eq!(found, expected, "{name}");
                }
            }
            // What the call itself does.
            File::create(victims.own.path("new")).unwrap();
            fs::rename(victims.own.path("new"), victims.own.path("renamed")).unwrap();
            truncate(&victims.own.path("victim")).unwrap();
            fs::remove_file(victims.own.path("renamed")).unwrap();
        });
    });
}

#[test]
fn a_missing_directory_never_allows_the_whole_file_system() {
    if landlock() == 0 || !root("a_missing_directory_never_allows_the_whole_file_system") {
        return;
    }
    let outside = Scratch::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            confine(&[text("/missing/below"), text("/")], &[]);
            assert_eq!(errno(File::create(outside.path("new"))), libc::EACCES);
        });
    });
}

#[test]
fn a_confined_thread_has_two_capabilities_no_new_privileges_and_no_new_code() {
    if !root("a_confined_thread_has_two_capabilities_no_new_privileges_and_no_new_code") {
        return;
    }
    new_code().unwrap();
    thread::spawn(|| {
        let measures = confine(&[], &[]);
        // CAP_NET_ADMIN and CAP_SYS_ADMIN.
        for set in ["CapPrm", "CapEff"] {
            assert_eq!(status(set), "0000000000201000", "{set}");
        }
        assert_eq!(status("NoNewPrivs"), "1");
        // Linux 6.3.
        if measures.contains(&"noNewCode") {
            assert_eq!(errno(new_code()), libc::EACCES);
        }
    })
    .join()
    .unwrap();
}

#[test]
fn files_that_are_allowed_can_be_written_but_not_replaced() {
    if landlock() == 0 || !root("files_that_are_allowed_can_be_written_but_not_replaced") {
        return;
    }
    let place = Scratch::new();
    let file = place.file("file", "text");
    thread::scope(|scope| {
        scope.spawn(|| {
            confine(&[], &[text(&file)]);
            let opened = OpenOptions::new().write(true).open(&file).unwrap();
            assert!(opened.as_raw_fd() >= 0);
            assert_eq!(errno(fs::remove_file(&file)), libc::EACCES);
            assert_eq!(errno(File::create(place.path("other"))), libc::EACCES);
        });
    });
}
