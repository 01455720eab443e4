//! Tests of the calls on files, called from JavaScript.

mod support;

use std::{
    fs::{self, Permissions},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, symlink},
        net::UnixListener,
    },
    process::Command,
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{CWD, FileType, Mode, makedev, mkfifoat, mknodat},
    thread::{UnshareFlags, unshare_unsafe},
};
use support::{Failure, Scratch, as_nobody, failure, failure_on, quoted, root, thrown, value};

#[test]
fn every_call_refuses_a_path_with_a_nul_byte() {
    for (call, syscall) in CALLS {
        let call = call.replace("PATH", r#""/tmp/a\0b""#);
        assert_eq!(thrown(&call), failure_on("EINVAL", syscall, "/tmp/a\0b"), "{call}");
    }
}

#[test]
fn every_call_refuses_a_path_that_is_not_utf8() {
    for (call, syscall) in CALLS {
        let call = call.replace("PATH", r#""/tmp/a\ud800b""#);
        let error = thrown(&call);
        assert_eq!(
            (error.code.as_str(), error.syscall.as_str()),
            ("EILSEQ", *syscall),
            "{call}"
        );
    }
}

#[test]
fn a_call_if_there_returns_undefined_for_what_is_not_there() {
    for call in ["stat", "readFile", "readLink", "openDirectory", "unlink"] {
        let call = format!("host.{call}IfThere(\"/nonexistent/file\") === undefined");
        assert_eq!(value(&call), "true", "{call}");
    }
}

#[test]
fn a_call_if_there_returns_what_the_call_returns() {
    let directory = Scratch::new();
    let (file, link) = (directory.path("file"), directory.path("link"));
    fs::write(&file, "text").unwrap();
    symlink("file", &link).unwrap();
    let [file, link] = [file, link].map(quoted);
    for call in [
        format!("host.readFileIfThere({file}) === 'text'"),
        format!("host.readLinkIfThere({link}) === 'file'"),
        format!("host.statIfThere({link}, {{ follow: false }}).kind === 'symlink'"),
    ] {
        assert_eq!(value(&call), "true", "{call}");
    }
    value(&format!("host.unlinkIfThere({link})"));
    assert_eq!(value(&format!("host.statIfThere({link}) === undefined")), "true");
}

#[test]
fn a_call_if_there_throws_any_other_error() {
    let directory = Scratch::new();
    let file = directory.path("file");
    fs::write(&file, "text").unwrap();
    let below = quoted(format!("{}/below", file.display()));
    for (call, syscall) in [
        ("stat", "stat"),
        ("readFile", "open"),
        ("readLink", "readlink"),
        ("unlink", "unlink"),
    ] {
        let error = thrown(&format!("host.{call}IfThere({below})"));
        assert_eq!((error.code.as_str(), error.syscall.as_str()), ("ENOTDIR", syscall));
    }
}

#[test]
fn every_call_names_what_is_not_there() {
    for (call, syscall) in CALLS {
        let call = call.replace("PATH", r#""/nonexistent/file""#);
        assert_eq!(
            thrown(&call),
            failure_on("ENOENT", syscall, "/nonexistent/file"),
            "{call}"
        );
    }
}

const CALLS: &[(&str, &str)] = &[
    ("host.stat(PATH)", "stat"),
    ("host.stat(PATH, { follow: false })", "lstat"),
    ("host.checkWritable(PATH)", "access"),
    ("host.readFile(PATH)", "open"),
    ("host.writeFile(PATH, 'x')", "open"),
    ("host.createFile(PATH, 'x')", "open"),
    ("host.appendFile(PATH, 'x')", "open"),
    ("host.copyFile(PATH, '/nonexistent/copy', 0o755)", "open"),
    ("host.sameContent(PATH, PATH)", "open"),
    ("host.sync(PATH)", "open"),
    ("host.identify(PATH)", "open"),
    ("host.rename(PATH, '/tmp')", "rename"),
    ("host.unlink(PATH)", "unlink"),
    ("host.makeDirectory(PATH)", "mkdir"),
    ("host.readDirectory(PATH)", "open"),
    ("host.readLink(PATH)", "readlink"),
    ("host.lock(PATH, 0)", "open"),
    ("host.openNetns(PATH)", "open"),
];

#[test]
fn an_error_says_in_words_what_failed_on_what_and_why() {
    assert_eq!(
        support::message("host.readFile('/nonexistent')"),
        "Error: open /nonexistent: No such file or directory (ENOENT)"
    );
    assert_eq!(
        support::message("host.close(-1)"),
        "Error: close: Bad file descriptor (EBADF)"
    );
}

#[test]
fn stat_tells_every_kind_of_file() {
    let scratch = Scratch::new();
    let file = scratch.file("file", "");
    symlink(&file, scratch.path("symlink")).unwrap();
    fs::create_dir(scratch.path("directory")).unwrap();
    let _socket = UnixListener::bind(scratch.path("socket")).unwrap();
    mkfifoat(CWD, scratch.path("fifo"), Mode::RUSR).unwrap();
    let mut kinds = vec!["file", "symlink", "directory", "socket", "fifo"];
    if root("stat tells a device") {
        mknodat(
            CWD,
            scratch.path("character"),
            FileType::CharacterDevice,
            Mode::RUSR,
            makedev(1, 3),
        )
        .unwrap();
        mknodat(
            CWD,
            scratch.path("block"),
            FileType::BlockDevice,
            Mode::RUSR,
            makedev(7, 0),
        )
        .unwrap();
        kinds.extend(["character", "block"]);
    }
    for kind in kinds {
        let stat = format!("host.stat({}, {{ follow: false }}).kind", quoted(scratch.path(kind)));
        assert_eq!(value(&stat), format!("{kind:?}"));
    }
    assert_eq!(
        value(&format!("host.stat({}).kind", quoted(scratch.path("symlink")))),
        r#""file""#
    );
    assert_eq!(value("host.stat('/proc/self/ns/net').kind"), r#""file""#);
}

#[test]
fn stat_gives_device_inode_mode_owner_and_time_of_change() {
    let scratch = Scratch::new();
    let file = scratch.file("file", "");
    fs::set_permissions(&file, Permissions::from_mode(0o4751)).unwrap();
    let truth = fs::metadata(&file).unwrap();
    let expected = format!(
        r#"{{"device":{},"inode":{},"kind":"file","mode":{},"uid":{},"changed":{}}}"#,
        truth.dev(),
        truth.ino(),
        0o4751,
        truth.uid(),
        truth.ctime() as f64 * 1e3 + truth.ctime_nsec() as f64 / 1e6,
    );
    assert_eq!(value(&format!("host.stat({})", quoted(&file))), expected);
}

#[test]
fn read_file_gives_the_whole_text() {
    let scratch = Scratch::new();
    let text = "grüße, 世界 🎉\n".repeat(5000);
    let file = quoted(scratch.file("file", &text));
    assert_eq!(
        value(&format!("host.readFile({file}).length")),
        text.encode_utf16().count().to_string()
    );
    assert_eq!(
        value(&format!("host.sha256(host.readFile({file}))")),
        value(&format!("host.sha256({text:?})"))
    );
    assert_eq!(value("host.readFile('/proc/self/comm').length > 1"), "true");
}

#[test]
fn read_file_refuses_a_byte_more_than_its_limit() {
    let scratch = Scratch::new();
    let file = scratch.file("file", "x".repeat(1024 * 1024));
    let path = quoted(&file);
    assert_eq!(value(&format!("host.readFile({path}).length")), "1048576");
    assert_eq!(
        thrown(&format!("host.readFile({path}, {{ limit: 1048575 }})")),
        failure_on("EFBIG", "read", &file)
    );
    let larger = scratch.file("larger", "x".repeat(1024 * 1024 + 1));
    assert_eq!(
        thrown(&format!("host.readFile({})", quoted(&larger))),
        failure_on("EFBIG", "read", &larger)
    );
    assert_eq!(
        value(&format!(
            "host.readFile({}, {{ limit: Infinity }}).length",
            quoted(&larger)
        )),
        "1048577"
    );
    assert_eq!(
        thrown(&format!("host.readFile({path}, {{ limit: NaN }})")),
        failure_on("EFBIG", "read", &file)
    );
}

#[test]
fn read_file_refuses_what_is_not_utf8() {
    let scratch = Scratch::new();
    let file = scratch.file("file", b"ab\xff");
    assert_eq!(
        thrown(&format!("host.readFile({})", quoted(&file))),
        failure_on("EILSEQ", "read", &file)
    );
}

#[test]
fn read_file_follows_a_link_unless_told_not_to() {
    let scratch = Scratch::new();
    let link = scratch.path("link");
    symlink(scratch.file("file", "x"), &link).unwrap();
    assert_eq!(value(&format!("host.readFile({})", quoted(&link))), r#""x""#);
    let unfollowed = format!("host.readFile({}, {{ follow: false }})", quoted(&link));
    assert_eq!(thrown(&unfollowed), failure_on("ELOOP", "open", &link));
}

#[test]
fn read_file_does_not_wait_for_a_fifo() {
    let scratch = Scratch::new();
    let fifo = scratch.path("fifo");
    mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
    assert_eq!(value(&format!("host.readFile({})", quoted(&fifo))), r#""""#);
}

#[test]
fn read_file_refuses_a_directory() {
    assert_eq!(thrown("host.readFile('/tmp')"), failure_on("EISDIR", "read", "/tmp"));
}

#[test]
fn what_is_not_allowed_is_eacces() {
    if !root("what is not allowed is EACCES") {
        return;
    }
    let scratch = Scratch::new();
    fs::set_permissions(scratch.path(""), Permissions::from_mode(0o755)).unwrap();
    let secret = scratch.file("secret", "x");
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    let new = scratch.path("new");
    let closed = scratch.path("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    as_nobody(|| {
        let (path, target) = (quoted(&secret), quoted(&new));
        let refused = |syscall, path| failure_on("EACCES", syscall, path);
        assert_eq!(thrown(&format!("host.readFile({path})")), refused("open", &secret));
        assert_eq!(
            thrown(&format!("host.checkWritable({path})")),
            refused("access", &secret)
        );
        assert_eq!(
            thrown(&format!("host.writeFile({path}, 'y')")),
            refused("open", &secret)
        );
        assert_eq!(thrown(&format!("host.lock({path}, 0)")), refused("open", &secret));
        assert_eq!(
            thrown(&format!("host.createFile({target}, 'y')")),
            refused("open", &new)
        );
        assert_eq!(thrown(&format!("host.makeDirectory({target})")), refused("mkdir", &new));
        assert_eq!(thrown(&format!("host.unlink({path})")), refused("unlink", &secret));
        assert_eq!(
            thrown(&format!("host.rename({path}, {target})")),
            refused("rename", &secret)
        );
        assert_eq!(
            thrown(&format!("host.readDirectory({})", quoted(&closed))),
            refused("open", &closed)
        );
    });
}

#[test]
fn check_writable_asks_without_writing() {
    if !root("a sysctl is writable for root alone") {
        return;
    }
    let scratch = Scratch::new();
    let file = scratch.file("file", "abc");
    let before = fs::metadata(&file).unwrap().modified().unwrap();
    assert_eq!(value(&format!("host.checkWritable({})", quoted(&file))), "undefined");
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), before);
    assert_eq!(
        value("host.checkWritable('/proc/sys/net/ipv4/ip_forward')"),
        "undefined"
    );
    // A file that the kernel makes read-only for every user.
    let fixed = "/proc/sys/kernel/ostype";
    assert_eq!(
        thrown(&format!("host.checkWritable('{fixed}')")),
        failure_on("EACCES", "access", fixed)
    );
}

#[test]
fn write_file_neither_creates_nor_truncates() {
    let scratch = Scratch::new();
    let file = scratch.file("file", "abcdef");
    assert_eq!(value(&format!("host.writeFile({}, 'XY')", quoted(&file))), "undefined");
    assert_eq!(fs::read(&file).unwrap(), b"XYcdef");
    let missing = scratch.path("missing");
    assert_eq!(
        thrown(&format!("host.writeFile({}, 'x')", quoted(&missing))),
        failure_on("ENOENT", "open", &missing)
    );
    assert!(!missing.exists());
}

#[test]
fn write_file_refuses_text_that_is_not_utf8_and_writes_none_of_it() {
    let scratch = Scratch::new();
    let file = scratch.file("file", "abc");
    let call = format!(r#"host.writeFile({}, "x\ud800")"#, quoted(&file));
    assert_eq!(thrown(&call), failure_on("EILSEQ", "write", &file));
    assert_eq!(fs::read(&file).unwrap(), b"abc");
}

#[test]
fn write_file_reports_what_a_sysctl_refuses() {
    if !root("writeFile reports what a sysctl refuses") {
        return;
    }
    support::in_new_netns(|| {
        let sysctl = "/proc/sys/net/ipv4/ip_forward";
        assert_eq!(
            thrown(&format!("host.writeFile('{sysctl}', 'many')")),
            failure_on("EINVAL", "write", sysctl)
        );
        assert_eq!(
            value(&format!("[host.writeFile('{sysctl}', '1'), host.readFile('{sysctl}')]")),
            r#"[null,"1\n"]"#
        );
    });
}

#[test]
fn append_file_makes_a_private_file_and_adds_to_it() {
    let scratch = Scratch::new();
    let file = scratch.path("file");
    for line in ["one\n", "two\n"] {
        value(&format!("host.appendFile({}, {})", quoted(&file), quoted(line)));
    }
    assert_eq!(fs::read(&file).unwrap(), b"one\ntwo\n");
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);
}

#[test]
fn append_file_follows_no_link_and_waits_for_no_reader() {
    let scratch = Scratch::new();
    let link = scratch.path("link");
    symlink(scratch.file("file", "x"), &link).unwrap();
    let fifo = scratch.path("fifo");
    mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
    for (path, code) in [(&link, "ELOOP"), (&fifo, "ENXIO")] {
        let call = format!("host.appendFile({}, 'y')", quoted(path));
        assert_eq!(thrown(&call), failure_on(code, "open", path));
    }
}

#[test]
fn create_file_makes_a_private_file() {
    let scratch = Scratch::new();
    let file = scratch.path("file");
    value(&format!(r#"host.createFile({}, "a\0ü")"#, quoted(&file)));
    assert_eq!(fs::read(&file).unwrap(), "a\0ü".as_bytes());
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);
}

#[test]
fn create_file_refuses_any_name_that_is_there() {
    let scratch = Scratch::new();
    let file = scratch.file("file", "x");
    let dangling = scratch.path("dangling");
    symlink("/tmp/nowhere-at-all", &dangling).unwrap();
    for there in [&file, &dangling] {
        let call = format!("host.createFile({}, 'y')", quoted(there));
        assert_eq!(thrown(&call), failure_on("EEXIST", "open", there));
    }
    assert_eq!(fs::read(&file).unwrap(), b"x");
}

#[test]
fn create_file_leaves_nothing_where_it_cannot_write_all() {
    if !root("createFile leaves nothing where it cannot write all") {
        return;
    }
    let scratch = Scratch::new();
    let mount = scratch.path("mount");
    fs::create_dir(&mount).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: the call unshares no descriptors.
            unsafe { unshare_unsafe(UnshareFlags::NEWNS) }.unwrap();
            support::output(Command::new("mount").args(["--make-rprivate", "/"]));
            support::output(
                Command::new("mount")
                    .args(["-t", "tmpfs", "-o", "size=16k", "tmpfs"])
                    .arg(&mount),
            );
            let file = mount.join("file");
            let call = format!("host.createFile({}, 'x'.repeat(100000))", quoted(&file));
            assert_eq!(thrown(&call), failure_on("ENOSPC", "write", &file));
            assert!(!file.exists());
        });
    });
}

#[test]
fn copy_file_makes_a_copy_with_the_mode_it_is_told() {
    let scratch = Scratch::new();
    let content: Vec<u8> = (0..200_000u32).map(|number| (number % 251) as u8).collect();
    let (file, copy) = (scratch.file("file", &content), scratch.path("copy"));
    let call = format!("host.copyFile({}, {}, 0o755)", quoted(&file), quoted(&copy));
    assert_eq!(value(&call), "undefined");
    assert_eq!(fs::read(&copy).unwrap(), content);
    assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o7777, 0o755);
    assert_eq!(thrown(&call), failure_on("EEXIST", "open", &copy));
    let dangling = scratch.path("dangling");
    symlink("/tmp/nowhere-at-all", &dangling).unwrap();
    let call = format!("host.copyFile({}, {}, 0o755)", quoted(&file), quoted(&dangling));
    assert_eq!(thrown(&call), failure_on("EEXIST", "open", &dangling));
}

#[test]
fn copy_file_leaves_nothing_where_it_cannot_copy_all() {
    let scratch = Scratch::new();
    let copy = scratch.path("copy");
    // A directory can be opened but not read.
    let call = format!("host.copyFile({}, {}, 0o755)", quoted(scratch.path("")), quoted(&copy));
    assert_eq!(thrown(&call), failure_on("EISDIR", "read", scratch.path("")));
    assert!(!copy.exists());
}

#[test]
fn same_content_compares_every_byte_and_the_length() {
    let scratch = Scratch::new();
    let content = vec![b'x'; 200_000];
    let changed = [&content[..199_999], b"y"].concat();
    for (name, other, same) in [
        ("same", &content[..], "true"),
        ("changed", &changed, "false"),
        ("shorter", &content[..199_999], "false"),
        ("even", &content[..131_072], "false"),
        ("empty", b"", "false"),
    ] {
        let (a, b) = (scratch.file("file", &content), scratch.file(name, other));
        for (one, other) in [(&a, &b), (&b, &a)] {
            let call = format!("host.sameContent({}, {})", quoted(one), quoted(other));
            assert_eq!(value(&call), same, "{name}");
        }
    }
}

#[test]
fn sync_takes_files_and_directories() {
    let scratch = Scratch::new();
    for path in [scratch.file("file", "x"), scratch.path("")] {
        assert_eq!(value(&format!("host.sync({})", quoted(path))), "undefined");
    }
    assert_eq!(
        thrown("host.sync('/proc/self/mounts')"),
        failure_on("EINVAL", "fsync", "/proc/self/mounts")
    );
}

#[test]
fn identify_knows_executables_of_its_own_kind_alone() {
    let scratch = Scratch::new();
    let labelled = scratch.path("labelled");
    support::output(
        Command::new(env!("CARGO_BIN_EXE_compile"))
            .args([
                env!("CARGO_BIN_EXE_host"),
                "a.js",
                labelled.to_str().unwrap(),
                "a-plugin 1.2",
            ])
            .stdin(fs::File::open(scratch.file("source", "")).unwrap()),
    );
    let content = fs::read(&labelled).unwrap();
    let identified = |path| value(&format!("host.identify({})", quoted(path)));
    let machine = u16::from_le_bytes([content[18], content[19]]);
    let label = |label: &str| format!(r#"{{"machine":{machine},"label":"{label}"}}"#);
    assert_eq!(identified(labelled), label("a-plugin 1.2"));
    assert_eq!(identified(support::compiled(&scratch, "unlabelled", "")), label(""));
    let format = content.len() - 16;
    let other = [&content[..format], &[2], &content[format + 1..]].concat();
    assert_eq!(identified(scratch.file("other-format", other)), label(""));

    let no_elf = [&b"#!/bin/sh"[..], &content[9..]].concat();
    for (name, other) in [
        ("bare", fs::read(env!("CARGO_BIN_EXE_host")).unwrap()),
        ("short", content[..content.len() - 1].to_vec()),
        ("script", no_elf),
        ("header", content[..20].to_vec()),
        ("empty", Vec::new()),
    ] {
        assert_eq!(identified(scratch.file(name, other)), "undefined", "{name}");
    }
    assert_eq!(identified(scratch.path("")), "undefined");
    let (fifo, link) = (scratch.path("fifo"), scratch.path("link"));
    mkfifoat(CWD, &fifo, Mode::RUSR).unwrap();
    assert_eq!(identified(fifo), "undefined");
    symlink("labelled", &link).unwrap();
    assert_eq!(
        thrown(&format!("host.identify({})", quoted(&link))),
        failure_on("ELOOP", "open", &link)
    );
}

#[test]
fn rename_replaces_its_target() {
    let scratch = Scratch::new();
    let (from, to) = (scratch.file("from", "new"), scratch.file("to", "old"));
    value(&format!("host.rename({}, {})", quoted(&from), quoted(&to)));
    assert!(!from.exists());
    assert_eq!(fs::read(&to).unwrap(), b"new");
    let call = format!(r#"host.rename({}, "/tmp/\0")"#, quoted(&to));
    assert_eq!(thrown(&call), failure_on("EINVAL", "rename", &to));
}

#[test]
fn unlink_removes_a_link_and_not_what_it_points_to() {
    let scratch = Scratch::new();
    let (file, link) = (scratch.file("file", "x"), scratch.path("link"));
    symlink(&file, &link).unwrap();
    value(&format!("host.unlink({})", quoted(&link)));
    assert!(file.exists() && !link.is_symlink());
}

#[test]
fn make_directory_makes_one_private_directory() {
    let scratch = Scratch::new();
    let directory = scratch.path("directory");
    value(&format!("host.makeDirectory({})", quoted(&directory)));
    assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o7777, 0o700);
    let again = format!("host.makeDirectory({})", quoted(&directory));
    assert_eq!(thrown(&again), failure_on("EEXIST", "mkdir", &directory));
}

#[test]
fn read_directory_sorts_its_names() {
    let scratch = Scratch::new();
    for name in ["b", "a", ".hidden", "ü", "B", "a1"] {
        scratch.file(name, "");
    }
    let names = value(&format!("host.readDirectory({})", quoted(scratch.path(""))));
    assert_eq!(names, r#"[".hidden","B","a","a1","b","ü"]"#);
    let file = scratch.path("a");
    assert_eq!(
        thrown(&format!("host.readDirectory({})", quoted(&file))),
        failure_on("ENOTDIR", "open", &file)
    );
}

#[test]
fn read_directory_refuses_names_that_are_not_utf8() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let scratch = Scratch::new();
    let directory = scratch.path("directory");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join(OsStr::from_bytes(b"\xff")), "").unwrap();
    let call = format!("host.readDirectory({})", quoted(&directory));
    assert_eq!(thrown(&call), failure_on("EILSEQ", "getdents64", &directory));
}

#[test]
fn read_link_gives_the_target_as_it_is() {
    let scratch = Scratch::new();
    let link = scratch.path("link");
    symlink("../some/where", &link).unwrap();
    assert_eq!(
        value(&format!("host.readLink({})", quoted(&link))),
        r#""../some/where""#
    );
    let file = scratch.file("file", "");
    assert_eq!(
        thrown(&format!("host.readLink({})", quoted(&file))),
        failure_on("EINVAL", "readlink", &file)
    );
}

#[test]
fn close_refuses_a_number_that_is_not_open() {
    assert_eq!(thrown("host.close(-1)"), failure("EBADF", "close"));
    assert_eq!(thrown("host.close(1000000)"), failure("EBADF", "close"));
}

#[test]
fn a_lock_is_exclusive_until_it_is_closed() {
    let scratch = Scratch::new();
    let file = scratch.file("file", "");
    let path = quoted(&file);
    let start = Instant::now();
    let busy = Failure {
        code: "ETIMEDOUT".into(),
        ..failure_on("", "flock", &file)
    };
    assert_eq!(thrown(&format!("[host.lock({path}, 0), host.lock({path}, 100)]")), busy);
    assert!((Duration::from_millis(100)..Duration::from_secs(2)).contains(&start.elapsed()));

    let other = scratch.file("other", "");
    let free = quoted(&other);
    assert_eq!(
        value(&format!(
            "[host.close(host.lock({free}, 0)), host.close(host.lock({free}, 0))].length"
        )),
        "2"
    );
}

#[test]
fn a_lock_waits_for_whoever_holds_it() {
    use rustix::fs::{FlockOperation, flock};
    let scratch = Scratch::new();
    let path = scratch.file("file", "");
    let holder = fs::File::open(&path).unwrap();
    flock(&holder, FlockOperation::LockExclusive).unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            thread::sleep(Duration::from_millis(150));
            drop(holder);
        });
        let start = Instant::now();
        value(&format!("host.close(host.lock({}, 10000))", quoted(&path)));
        assert!((Duration::from_millis(100)..Duration::from_secs(5)).contains(&start.elapsed()));
    });
}

#[test]
fn directories_and_namespaces_can_be_locked_too() {
    for path in ["/tmp", "/proc/thread-self/ns/net"] {
        assert_eq!(
            thrown(&format!("[host.lock('{path}', 0), host.lock('{path}', 1)]")).code,
            "ETIMEDOUT",
            "{path}"
        );
    }
}
