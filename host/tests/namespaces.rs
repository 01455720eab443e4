//! Tests of the calls on network namespaces, called from JavaScript.

mod support;

use std::{fs, os::fd::AsRawFd, path::Path};

use rustix::fs::{CWD, Mode, mkfifoat};
use support::{Scratch, as_nobody, failure, failure_on, in_new_netns, quoted, root, thrown, value};

const INODE: &str = "host.stat('/proc/thread-self/ns/net').inode";

#[test]
fn open_netns_refuses_what_is_no_network_namespace() {
    let scratch = Scratch::new();
    let fifo = scratch.path("fifo");
    mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
    let file = scratch.file("file", "");
    let others = ["/tmp", "/proc/self/ns/uts", "/proc/self/ns/mnt", "/dev/null"].map(Path::new);
    for path in others.into_iter().chain([fifo.as_path(), file.as_path()]) {
        let call = format!("host.openNetns({})", quoted(path));
        assert_eq!(thrown(&call), failure_on("EINVAL", "ioctl", path));
    }
}

#[test]
fn a_callback_runs_inside_and_everything_after_it_outside() {
    if !root("a callback runs inside and everything after it outside") {
        return;
    }
    in_new_netns(|| {
        let inside = fs::File::open("/proc/thread-self/ns/net").unwrap();
        let inode = value(INODE);
        in_new_netns(|| {
            let outside = value(INODE);
            assert_ne!(inode, outside);
            let call = format!("[host.inNetns({}, () => {INODE}), {INODE}]", inside.as_raw_fd());
            assert_eq!(value(&call), format!("[{inode},{outside}]"));
        });
    });
}

#[test]
fn an_exception_leaves_the_namespace_too() {
    if !root("an exception leaves the namespace too") {
        return;
    }
    in_new_netns(|| {
        let inside = fs::File::open("/proc/thread-self/ns/net").unwrap();
        in_new_netns(|| {
            let outside = value(INODE);
            let call = format!(
                "(() => {{ try {{ host.inNetns({}, () => {{ throw new RangeError('mine'); }}); }}
                 catch (error) {{ return [String(error), {INODE}]; }} }})()",
                inside.as_raw_fd()
            );
            assert_eq!(value(&call), format!(r#"["RangeError: mine",{outside}]"#));
        });
    });
}

#[test]
fn namespaces_nest() {
    if !root("namespaces nest") {
        return;
    }
    in_new_netns(|| {
        let (first, a) = (fs::File::open("/proc/thread-self/ns/net").unwrap(), value(INODE));
        in_new_netns(|| {
            let (second, b) = (fs::File::open("/proc/thread-self/ns/net").unwrap(), value(INODE));
            in_new_netns(|| {
                let c = value(INODE);
                let inner = format!("host.inNetns({}, () => {INODE})", second.as_raw_fd());
                let outer = format!("host.inNetns({}, () => [{INODE}, {inner}, {INODE}])", first.as_raw_fd());
                assert_eq!(value(&format!("[{outer}, {INODE}]")), format!("[[{a},{b},{a}],{c}]"));
            });
        });
    });
}

#[test]
fn what_cannot_be_entered_does_not_call_back() {
    let uts = fs::File::open("/proc/self/ns/uts").unwrap();
    let call = |fd| format!("host.inNetns({fd}, () => {{ throw new Error('called back'); }})");
    assert_eq!(thrown(&call(uts.as_raw_fd())), failure("EINVAL", "setns"));
    assert_eq!(thrown(&call(-1)), failure("EBADF", "setns"));
    assert_eq!(thrown(&call(1_000_000)), failure("EBADF", "setns"));
}

#[test]
fn entering_takes_privileges() {
    if !root("entering takes privileges") {
        return;
    }
    let netns = fs::File::open("/proc/self/ns/net").unwrap();
    as_nobody(|| {
        let call = format!("host.inNetns({}, () => 1)", netns.as_raw_fd());
        assert_eq!(thrown(&call), failure("EPERM", "setns"));
    });
}
