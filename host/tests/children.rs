//! Tests of `run`, called from JavaScript.

mod support;

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    thread,
    time::{Duration, Instant},
};

use support::{Scratch, failure_on, quoted, thrown, value};

/// Returns a call that runs a shell script. `options` override the defaults.
fn script(text: &str, options: &str) -> String {
    format!("host.run('/bin/sh', {{ args: ['-c', {text:?}], env: {{}}, stdin: '', timeout: 20000, {options} }})")
}

#[test]
fn a_child_gives_its_output_and_its_status() {
    assert_eq!(
        value(&script("echo hello; exit 3", "")),
        r#"{"status":3,"stdout":"hello\n"}"#
    );
    assert_eq!(value(&script("true", "")), r#"{"status":0,"stdout":""}"#);
}

#[test]
fn a_child_that_dies_gives_its_signal() {
    assert_eq!(
        value(&script("echo a; kill -KILL $$", "")),
        r#"{"status":137,"signal":9,"stdout":"a\n"}"#
    );
    assert_eq!(
        value(&script("kill -SEGV $$", "")),
        r#"{"status":139,"signal":11,"stdout":""}"#
    );
}

#[test]
fn a_child_gets_its_arguments_as_they_are() {
    let call =
        "host.run('/usr/bin/printf', { args: ['<%s>', 'a b', '', '$HOME *', 'ü'], env: {}, stdin: '', timeout: 9e3 })";
    assert_eq!(value(&format!("{call}.stdout")), r#""<a b><><$HOME *><ü>""#);
    assert_eq!(
        value("host.run('/bin/true', { env: {}, stdin: '', timeout: 9000 }).status"),
        "0"
    );
}

#[test]
fn a_child_has_this_environment_and_no_other() {
    let call = |env| format!("host.run('/usr/bin/env', {{ env: {env}, stdin: '', timeout: 9000 }}).stdout");
    assert_eq!(value(&call("{}")), r#""""#);
    assert_eq!(
        value(&call("{ CNI_COMMAND: 'ADD', EMPTY: '', ODD: 'a=b c' }")),
        r#""CNI_COMMAND=ADD\nEMPTY=\nODD=a=b c\n""#
    );
}

#[test]
fn a_mebibyte_goes_both_ways_at_once() {
    let call = "host.run('/bin/cat', { env: {}, stdin: 'x'.repeat(1048576), timeout: 20000 }).stdout.length";
    assert_eq!(value(call), "1048576");
}

#[test]
fn a_child_need_not_read_what_it_is_given() {
    assert_eq!(
        value(&script("echo done", "stdin: 'x'.repeat(1048576)")),
        r#"{"status":0,"stdout":"done\n"}"#
    );
    assert_eq!(
        value(&script("exec <&-; sleep 0.1; echo done", "stdin: 'x'.repeat(1048576)")),
        r#"{"status":0,"stdout":"done\n"}"#
    );
}

#[test]
fn more_than_a_mebibyte_of_output_is_efbig() {
    let start = Instant::now();
    assert_eq!(thrown(&script("yes", "")), failure_on("EFBIG", "read", "/bin/sh"));
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn output_that_is_not_utf8_is_eilseq() {
    assert_eq!(
        thrown(&script(r"printf '\377'", "")),
        failure_on("EILSEQ", "read", "/bin/sh")
    );
}

#[test]
fn a_child_that_takes_too_long_is_killed_with_its_children() {
    let scratch = Scratch::new();
    let pids = scratch.path("pids");
    let text = format!("sleep 1000 & echo $! $$ > {}; wait", pids.display());
    let start = Instant::now();
    let error = thrown(&script(&text, "timeout: 300, env: { PATH: '/usr/bin:/bin' }"));
    assert_eq!(error, failure_on("ETIMEDOUT", "waitpid", "/bin/sh"));
    assert!((Duration::from_millis(300)..Duration::from_secs(5)).contains(&start.elapsed()));
    let pids = fs::read_to_string(pids).unwrap();
    assert_eq!(pids.split_whitespace().count(), 2);
    for pid in pids.split_whitespace() {
        // The grandchild stays a zombie until its new parent waits for it.
        let gone = || fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "));
        let deadline = Instant::now() + Duration::from_secs(5);
        while !gone() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        assert!(gone(), "{pid} lives");
    }
}

#[test]
fn a_daemon_that_keeps_the_output_open_is_not_waited_for() {
    let start = Instant::now();
    let call = script("sleep 20 & echo done", "env: { PATH: '/usr/bin:/bin' }");
    assert_eq!(value(&call), r#"{"status":0,"stdout":"done\n"}"#);
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_child_that_closes_its_output_is_still_waited_for() {
    let call = script("exec >&-; sleep 0.2; exit 4", "env: { PATH: '/usr/bin:/bin' }");
    assert_eq!(value(&call), r#"{"status":4,"stdout":""}"#);
}

#[test]
fn what_cannot_be_executed_says_why() {
    let scratch = Scratch::new();
    let plain = scratch.file("plain", "#!/bin/sh\n");
    let garbage = scratch.file("garbage", "garbage");
    fs::set_permissions(&garbage, Permissions::from_mode(0o755)).unwrap();
    let call = |path: &str| format!("host.run({path}, {{ env: {{}}, stdin: '', timeout: 9000 }})");
    assert_eq!(
        thrown(&call("'/nonexistent'")),
        failure_on("ENOENT", "execve", "/nonexistent")
    );
    assert_eq!(thrown(&call("'/tmp'")), failure_on("EACCES", "execve", "/tmp"));
    assert_eq!(thrown(&call(&quoted(&plain))), failure_on("EACCES", "execve", &plain));
    assert_eq!(
        thrown(&call(&quoted(&garbage))),
        failure_on("ENOEXEC", "execve", &garbage)
    );
}

#[test]
fn a_name_without_a_slash_is_not_looked_for_on_path() {
    let call = "host.run('sh', { env: { PATH: '/bin' }, stdin: '', timeout: 9000 })";
    assert_eq!(thrown(call), failure_on("ENOENT", "execve", "sh"));
}

#[test]
fn what_no_child_could_be_given_is_refused() {
    let call = |options| format!("host.run('/bin/true', {{ env: {{}}, stdin: '', timeout: 9000, {options} }})");
    let refused = |code, syscall| failure_on(code, syscall, "/bin/true");
    for options in [
        r#"args: ["a\0b"]"#,
        r#"env: { "A\0": "b" }"#,
        r#"env: { A: "b\0" }"#,
        r#"env: { "": "b" }"#,
        r#"env: { "A=B": "c" }"#,
    ] {
        assert_eq!(thrown(&call(options)), refused("EINVAL", "execve"), "{options}");
    }
    for options in [
        r#"args: ["\ud800"]"#,
        r#"env: { A: "\ud800" }"#,
        r#"env: { "\ud800": "b" }"#,
    ] {
        assert_eq!(thrown(&call(options)), refused("EILSEQ", "execve"), "{options}");
    }
    assert_eq!(thrown(&call(r#"stdin: "\ud800""#)), refused("EILSEQ", "write"));
    let path = r#"host.run("/bin/\0", { env: {}, stdin: "", timeout: 1 })"#;
    assert_eq!(thrown(path), failure_on("EINVAL", "execve", "/bin/\0"));
}
