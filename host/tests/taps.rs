//! Tests of the calls on taps, called from JavaScript, and of the child process that creates a
//! labelled tap.

mod support;

use std::{fs, path::Path, process::Command};

use host::{
    calls::{labelled_tap::create_in_child, taps},
    text::Text,
};
use rustix::io::Errno;
use support::{as_nobody, failure, failure_on, in_new_netns, output, root, thrown, value};

const HOST: &str = env!("CARGO_BIN_EXE_host");

/// Whether the current namespace has a link of this name.
fn exists(link: &str) -> bool {
    fs::read_to_string("/proc/thread-self/net/dev")
        .unwrap()
        .contains(&format!(" {link}:"))
}

/// Returns the tap's details from `ip`, as JSON.
fn details(tap: &str) -> String {
    output(Command::new("ip").args(["-details", "-json", "link", "show", tap]))
}

#[test]
fn a_tap_lasts_as_long_as_its_descriptor() {
    if !root("a tap lasts as long as its descriptor") {
        return;
    }
    in_new_netns(|| {
        let fd = value("host.createTap('tap0', { multiQueue: false })");
        assert!(exists("tap0"));
        let details = details("tap0");
        for wanted in [
            r#""type":"tap""#,
            r#""pi":false"#,
            r#""vnet_hdr":true"#,
            r#""multi_queue":false"#,
            r#""persist":false"#,
        ] {
            assert!(details.contains(wanted), "{wanted}: {details}");
        }
        value(&format!("host.close({fd})"));
        assert!(!exists("tap0"));
    });
}

#[test]
fn a_tap_can_have_several_queues() {
    if !root("a tap can have several queues") {
        return;
    }
    in_new_netns(|| {
        value("host.createTap('tap0', { multiQueue: true })");
        assert!(details("tap0").contains(r#""multi_queue":true"#));
    });
}

#[test]
fn a_persistent_tap_outlives_its_descriptor_and_has_an_owner() {
    if !root("a persistent tap outlives its descriptor and has an owner") {
        return;
    }
    in_new_netns(|| {
        value(
            "(() => { const fd = host.createTap('tap0', { multiQueue: false });
               host.persistTap(fd, { owner: 107, group: 4294967294 }); host.close(fd); })()",
        );
        let details = details("tap0");
        for wanted in [r#""persist":true"#, r#""user":107"#, r#""group":4294967294"#] {
            assert!(
                details.replace("\"qemu\"", "107").contains(wanted),
                "{wanted}: {details}"
            );
        }
    });
}

#[test]
fn a_name_that_is_taken_is_ebusy() {
    if !root("a name that is taken is EBUSY") {
        return;
    }
    in_new_netns(|| {
        let taken = failure_on("EBUSY", "ioctl", "tap0");
        value("host.createTap('tap0', { multiQueue: false })");
        assert_eq!(thrown("host.createTap('tap0', { multiQueue: false })"), taken);
        assert_eq!(thrown("host.createTap('tap0', { multiQueue: true })"), taken);
        assert_eq!(
            thrown("host.createTap('lo', { multiQueue: false })"),
            failure_on("EBUSY", "ioctl", "lo")
        );
    });
}

#[test]
fn a_name_that_no_link_could_have_is_einval() {
    for name in ["", "1234567890123456", "tap%d", "a\0b", "a/b", "a b", "."] {
        let call = format!("host.createTap({name:?}, {{ multiQueue: false }})").replace("\\0", "\\u0000");
        if !matches!(name, "a/b" | "a b" | ".") || root("the kernel refuses a name") {
            let error = in_new_netns_if_root(|| thrown(&call));
            assert_eq!(error, failure_on("EINVAL", "ioctl", name));
        }
    }
    let call = r#"host.createTap("a\ud800", { multiQueue: false })"#;
    assert_eq!(thrown(call).code, "EILSEQ");
}

fn in_new_netns_if_root<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    if rustix::process::geteuid().is_root() {
        in_new_netns(test)
    } else {
        test()
    }
}

#[test]
fn a_tap_takes_privileges() {
    if !root("a tap takes privileges") {
        return;
    }
    as_nobody(|| {
        let error = thrown("host.createTap('tap0', { multiQueue: false })");
        let device_is_private = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/net/tun")
            .is_err();
        let expected = if device_is_private {
            failure_on("EACCES", "open", "/dev/net/tun")
        } else {
            failure_on("EPERM", "ioctl", "tap0")
        };
        assert_eq!(error, expected);
    });
}

#[test]
fn what_is_no_tap_cannot_persist() {
    let call = |fd| format!("host.persistTap({fd}, {{ owner: 0, group: 0 }})");
    assert_eq!(thrown(&call("-1".to_owned())), failure("EBADF", "ioctl"));
    use std::os::fd::AsRawFd;
    let file = fs::File::open("/dev/null").unwrap();
    assert_eq!(thrown(&call(file.as_raw_fd().to_string())), failure("ENOTTY", "ioctl"));
}

#[test]
fn without_selinux_a_context_is_eopnotsupp() {
    if Path::new("/sys/fs/selinux").exists() {
        eprintln!("SKIPPED, has SELinux: without SELinux a context is EOPNOTSUPP");
        return;
    }
    assert_eq!(
        thrown("host.createTap('tap0', { multiQueue: false, selinuxContext: 'system_u:object_r:container_t:s0' })"),
        failure_on("EOPNOTSUPP", "stat", "/sys/fs/selinux")
    );
}

#[test]
fn a_child_makes_a_tap_in_this_threads_namespace_and_hands_it_over() {
    if !root("a child makes a tap in this thread's namespace and hands it over") {
        return;
    }
    for multi_queue in [false, true] {
        in_new_netns(|| {
            let tap = create_in_child(Path::new(HOST), &Text::from("tap0"), multi_queue, None).unwrap();
            assert!(exists("tap0"));
            assert!(details("tap0").contains(&format!(r#""multi_queue":{multi_queue}"#)));
            use std::os::fd::AsFd;
            taps::persist(tap.as_fd(), 107, 107).unwrap();
            drop(tap);
            assert!(exists("tap0"));
        });
    }
}

#[test]
fn a_childs_failure_comes_back_with_its_system_call() {
    if !root("a child's failure comes back with its system call") {
        return;
    }
    in_new_netns(|| {
        let error = create_in_child(Path::new(HOST), &Text::from("lo"), false, None).unwrap_err();
        assert_eq!(
            (error.code(), error.syscall, error.path.as_deref()),
            ("EBUSY", "ioctl", Some("lo"))
        );
    });
}

#[test]
fn a_context_that_the_kernel_refuses_comes_back_as_its_errno() {
    if !root("a context that the kernel refuses comes back as its errno") {
        return;
    }
    in_new_netns(|| {
        let context = Text::from("no:such:context");
        let error = create_in_child(Path::new(HOST), &Text::from("tap0"), false, Some(&context)).unwrap_err();
        assert_eq!((error.errno, error.syscall), (Errno::INVAL, "write"));
        assert_eq!(error.path.as_deref(), Some("/proc/thread-self/attr/exec"));
        assert!(!exists("tap0"));
    });
}

#[test]
fn a_child_that_does_not_start_or_says_nothing_is_an_error() {
    let create = |program| create_in_child(Path::new(program), &Text::from("tap0"), false, None).unwrap_err();
    let missing = create("/nonexistent/program");
    assert_eq!((missing.code(), missing.syscall), ("ENOENT", "execve"));
    assert_eq!(missing.path.as_deref(), Some("/nonexistent/program"));
    let silent = create("/bin/true");
    assert_eq!((silent.code(), silent.syscall), ("EPIPE", "recvmsg"));
}
