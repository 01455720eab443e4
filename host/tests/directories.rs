//! Tests of directories that only root can change, of their entries, and of locks in them.

mod support;

use std::{
    fs::{self, DirBuilder, File, Permissions},
    os::unix::fs::{PermissionsExt, chown, lchown, symlink},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use support::{failure, failure_on, quoted, root, thrown, value};

/// A directory below /run, which only root can change. /tmp is not: every user can write to it.
struct Trusted(PathBuf);

impl Trusted {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(format!("/run/host-test-{}-{count}", process::id()));
        make(&path, 0o700);
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Trusted {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn make(path: &Path, mode: u32) {
    DirBuilder::new().create(path).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_missing_directory_is_created_with_its_parents_for_root_alone() {
    if !root("a_missing_directory_is_created_with_its_parents_for_root_alone") {
        return;
    }
    let trusted = Trusted::new();
    let deep = trusted.path("one/two");
    assert_eq!(
        thrown(&format!("host.openDirectory({})", quoted(&deep))),
        failure_on("ENOENT", "open", trusted.path("one"))
    );
    value(&format!("host.openDirectory({}, {{ create: true }})", quoted(&deep)));
    for path in [trusted.path("one"), deep] {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o700);
    }
}

#[test]
fn a_directory_that_others_can_change_is_refused_wherever_it_is_on_the_way() {
    if !root("a_directory_that_others_can_change_is_refused_wherever_it_is_on_the_way") {
        return;
    }
    let trusted = Trusted::new();
    for (position, name) in ["a", "a/b", "a/b/c"].iter().enumerate() {
        make(&trusted.path(name), 0o755);
        assert_eq!(position, name.matches('/').count());
    }
    let open = format!("host.openDirectory({})", quoted(trusted.path("a/b/c")));
    value(&open);
    for name in ["a", "a/b", "a/b/c"] {
        let path = trusted.path(name);
        let refused = failure_on("EPERM", "fstat", &path);
        for mode in [0o777, 0o775, 0o757] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(thrown(&open), refused, "{name} {mode:o}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        chown(&path, Some(107), None).unwrap();
        assert_eq!(thrown(&open), refused, "{name}");
        chown(&path, Some(0), None).unwrap();
    }
    value(&open);
    // With the sticky bit, others cannot replace a directory of root. They can fill the last one.
    fs::set_permissions(trusted.path("a"), Permissions::from_mode(0o1777)).unwrap();
    value(&open);
    fs::set_permissions(trusted.path("a/b/c"), Permissions::from_mode(0o1777)).unwrap();
    assert_eq!(thrown(&open), failure_on("EPERM", "fstat", trusted.path("a/b/c")));
    fs::set_permissions(trusted.path("a/b/c"), Permissions::from_mode(0o755)).unwrap();
    value(&open);
    // Its owner can replace everything in it.
    chown(trusted.path("a"), Some(107), None).unwrap();
    assert_eq!(thrown(&open), failure_on("EPERM", "fstat", trusted.path("a")));
}

#[test]
fn symbolic_links_of_root_are_followed_and_no_others() {
    if !root("symbolic_links_of_root_are_followed_and_no_others") {
        return;
    }
    let trusted = Trusted::new();
    make(&trusted.path("there"), 0o700);
    make(&trusted.path("writable"), 0o777);
    make(&trusted.path("writable/below"), 0o700);
    for (link, target) in [
        ("relative", "there"),
        ("up", "../there"),
        ("circle", "circle"),
        ("through", "writable/below"),
    ] {
        symlink(target, trusted.path(link)).unwrap();
    }
    symlink(trusted.path("there"), trusted.path("absolute")).unwrap();
    fs::rename(trusted.path("up"), trusted.path("there/up")).unwrap();
    for path in ["relative", "absolute", "there/up"] {
        let path = trusted.path(path);
        let entry = format!(
            "host.createFile('entry', '', {{ in: host.openDirectory({}) }})",
            quoted(&path)
        );
        value(&entry);
        fs::remove_file(trusted.path("there/entry")).unwrap();
    }
    let open = |name: &str| thrown(&format!("host.openDirectory({})", quoted(trusted.path(name))));
    assert_eq!(open("circle"), failure_on("ELOOP", "open", trusted.path("circle")));
    assert_eq!(open("through"), failure_on("EPERM", "fstat", trusted.path("writable")));
    lchown(trusted.path("relative"), Some(107), None).unwrap();
    assert_eq!(open("relative"), failure_on("EPERM", "fstat", trusted.path("relative")));
    File::create(trusted.path("file")).unwrap();
    assert_eq!(open("file"), failure_on("ENOTDIR", "open", trusted.path("file")));
    assert_eq!(thrown("host.openDirectory('relative/path')").code, "EINVAL");
}

#[test]
fn entries_are_one_component_and_no_symbolic_links() {
    if !root("entries_are_one_component_and_no_symbolic_links") {
        return;
    }
    let trusted = Trusted::new();
    fs::write("/run/host-test-outside", "outside").unwrap();
    symlink("/run/host-test-outside", trusted.path("link")).unwrap();
    make(&trusted.path("child"), 0o700);
    symlink("child", trusted.path("to-child")).unwrap();
    let directory = format!("host.openDirectory({})", quoted(&trusted.0));
    for call in [
        "readFile(NAME, IN)",
        "unlink(NAME, IN)",
        "stat(NAME, IN)",
        "createFile(NAME, '', IN)",
        "rename(NAME, 'x', IN)",
        "rename('link', NAME, IN)",
        "appendFile(NAME, '', IN)",
        "removeDirectory(NAME, IN)",
        "lock(NAME, 0, LOCK)",
        "openDirectory(NAME, IN)",
    ] {
        for name in [
            "",
            ".",
            "..",
            "/run/host-test-outside",
            "../host-test-outside",
            "child/..",
            "child/../link",
        ] {
            let call = call
                .replace("NAME", &quoted(name))
                .replace("IN", &format!("{{ in: {directory} }}"))
                .replace("LOCK", &format!("{{ in: {directory}, at: 0 }}"));
            assert_eq!(thrown(&format!("host.{call}")).code, "EINVAL", "{call}");
        }
    }
    for call in [
        "readFile('link', IN)",
        "appendFile('link', 'x', IN)",
        "lock('link', 0, LOCK)",
        "openDirectory('to-child', IN)",
        "openDirectory('to-child/x', IN)",
    ] {
        let error = thrown(&format!(
            "host.{}",
            call.replace("IN", &format!("{{ in: {directory} }}"))
                .replace("LOCK", &format!("{{ in: {directory}, at: 0 }}"))
        ));
        assert_eq!(error.code, "ELOOP", "{call}");
    }
    assert_eq!(
        value(&format!("host.stat('link', {{ in: {directory} }}).kind")),
        "\"symlink\""
    );
    assert_eq!(fs::read_to_string("/run/host-test-outside").unwrap(), "outside");
    fs::remove_file("/run/host-test-outside").unwrap();
}

#[test]
fn files_of_a_directory_are_created_renamed_listed_and_removed() {
    if !root("files_of_a_directory_are_created_renamed_listed_and_removed") {
        return;
    }
    let trusted = Trusted::new();
    let script = format!(
        "((top) => {{
            const own = {{ in: host.openDirectory('a/b', {{ in: top, create: true }}) }};
            host.createFile('one', 'text', own);
            host.rename('one', 'two', own);
            const found = [host.readOpenDirectory(own.in), host.readFile('two', own), host.readOpenDirectory(top)];
            host.unlink('two', own);
            host.removeDirectory('b', {{ in: host.openDirectory('a', {{ in: top }}) }});
            return [...found, host.readOpenDirectory(host.openDirectory('a', {{ in: top }}))];
        }})(host.openDirectory({}))",
        quoted(&trusted.0)
    );
    assert_eq!(value(&script), r#"[["two"],"text",["a"],[]]"#);
    let missing = format!(
        "host.openDirectory('x', {{ in: host.openDirectory({}) }})",
        quoted(&trusted.0)
    );
    assert_eq!(thrown(&missing), failure_on("ENOENT", "openat2", "x"));
    make(&trusted.path("open"), 0o777);
    let open = format!(
        "host.openDirectory('open', {{ in: host.openDirectory({}) }})",
        quoted(&trusted.0)
    );
    assert_eq!(thrown(&open), failure_on("EPERM", "fstat", "open"));
}

#[test]
fn bytes_of_a_file_are_locked_independently() {
    if !root("bytes_of_a_file_are_locked_independently") {
        return;
    }
    let trusted = Trusted::new();
    let script = |first: u64, second: u64| {
        let directory = quoted(&trusted.0);
        format!(
            "((top) => [host.lock('locks', 0, {{ in: top, at: {first} }}),
                host.lock('locks', 300, {{ in: top, at: {second} }})].length)(host.openDirectory({directory}))"
        )
    };
    assert_eq!(value(&script(9_007_199_254_740_991, 9_007_199_254_740_990)), "2");
    let start = Instant::now();
    assert_eq!(thrown(&script(5, 5)), failure_on("ETIMEDOUT", "fcntl", "locks"));
    assert!(start.elapsed() >= Duration::from_millis(300));
    let locks = fs::metadata(trusted.path("locks")).unwrap();
    assert_eq!(locks.len(), 0);
    assert_eq!(locks.permissions().mode() & 0o7777, 0o600);
    let closed = "host.lock('lock', 0, { in: -1, at: 0 })";
    assert_eq!(thrown(closed), failure("EBADF", "openat"));
}

#[test]
fn a_waiter_is_woken_when_the_holder_releases_the_byte() {
    if !root("a_waiter_is_woken_when_the_holder_releases_the_byte") {
        return;
    }
    let trusted = Trusted::new();
    let directory = quoted(&trusted.0);
    let lock =
        |timeout: u32| format!("host.lock('locks', {timeout}, {{ in: host.openDirectory({directory}), at: 7 }})");
    let (held, released) = (lock(0), lock(10_000));
    thread::scope(|scope| {
        let holder: u32 = value(&held).parse().unwrap();
        scope.spawn(move || {
            thread::sleep(Duration::from_millis(100));
            value(&format!("host.close({holder})"));
        });
        value(&released);
    });
}
