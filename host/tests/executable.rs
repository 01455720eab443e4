//! Tests of whole executables: how they start, what they pass on, and how they end.

mod support;

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::{
        fs::symlink,
        process::{CommandExt, ExitStatusExt},
    },
    process::{Command, Output, Stdio},
};

use support::{Scratch, compiled, output};

/// Runs a program with this standard input.
fn with_stdin(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The program may fail before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn arguments_and_environment_reach_the_plugin() {
    let scratch = Scratch::new();
    let plugin = compiled(
        &scratch,
        "plugin",
        "import { args, env, writeStdout } from 'host'; writeStdout(JSON.stringify([args(), env()]));",
    );
    let printed = output(
        Command::new(&plugin)
            .args(["a b", "ü"])
            .env_clear()
            .env("CNI_COMMAND", "ADD"),
    );
    assert_eq!(printed, r#"[["a b","ü"],{"CNI_COMMAND":"ADD"}]"#);
}

#[test]
fn what_is_not_utf8_is_refused_in_arguments_and_replaced_in_the_environment() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let scratch = Scratch::new();
    let source = "import { args, env, writeStdout } from 'host';
        try { args(); } catch ({ code, syscall }) { writeStdout(JSON.stringify([code, syscall, env()])); }";
    let plugin = compiled(&scratch, "plugin", source);
    let odd = OsStr::from_bytes(b"\xff");
    let printed = output(
        Command::new(&plugin)
            .arg(odd)
            .env_clear()
            .env("ODD", odd)
            .env("PLAIN", "x"),
    );
    assert_eq!(
        printed,
        "[\"EILSEQ\",\"execve\",{\"ODD\":\"\u{fffd}\",\"PLAIN\":\"x\"}]"
    );
}

#[test]
fn standard_input_is_read_up_to_its_limit() {
    let scratch = Scratch::new();
    let source = "import { readStdin, writeStdout } from 'host';
        try { writeStdout(String(readStdin(100000).length)); }
        catch ({ code, syscall, path }) { writeStdout(`${code} ${syscall} ${path}`); }";
    let plugin = compiled(&scratch, "plugin", source);
    for (input, printed) in [
        (&b""[..], "0"),
        ("ü".as_bytes(), "1"),
        (&[b'x'; 100_000], "100000"),
        (&[b'x'; 100_001], "EFBIG read undefined"),
        (b"ab\xff", "EILSEQ read undefined"),
    ] {
        assert_eq!(with_stdin(&mut Command::new(&plugin), input).stdout, printed.as_bytes());
    }
}

#[test]
fn a_mebibyte_is_written_whole() {
    let scratch = Scratch::new();
    let plugin = compiled(
        &scratch,
        "plugin",
        "import { writeStdout } from 'host'; writeStdout('grüße'.repeat(200000));",
    );
    assert_eq!(output(&mut Command::new(plugin)), "grüße".repeat(200_000));
}

#[test]
fn a_closed_pipe_is_epipe_on_standard_output_and_nothing_on_standard_error() {
    let scratch = Scratch::new();
    let source = "import { exit, writeStderr, writeStdout } from 'host';
        writeStderr('into the void');
        try { writeStdout('x'); } catch ({ code, syscall }) { exit(code === 'EPIPE' && syscall === 'write' ? 7 : 1); }";
    let plugin = compiled(&scratch, "plugin", source);
    let closed = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        writer
    };
    let status = Command::new(plugin).stdout(closed()).stderr(closed()).status().unwrap();
    assert_eq!(status.code(), Some(7));
}

#[test]
fn exit_ends_at_once_with_its_status() {
    let scratch = Scratch::new();
    let source = "import { exit, writeStdout } from 'host'; try { exit(42); } finally { writeStdout('too late'); }";
    let result = with_stdin(&mut Command::new(compiled(&scratch, "plugin", source)), b"");
    assert_eq!((result.status.code(), result.stdout), (Some(42), Vec::new()));
}

#[test]
fn ignored_signals_end_neither_the_plugin_nor_are_they_ignored_by_its_children() {
    let scratch = Scratch::new();
    let source = "import { ignoreSignals, pid, run, writeStdout } from 'host';
        const shell = (text) => run('/bin/sh', { args: ['-c', text], env: {}, stdin: '', timeout: 9000 });
        ignoreSignals();
        for (const signal of ['TERM', 'INT', 'HUP']) shell(`kill -${signal} ${pid()}`);
        writeStdout(JSON.stringify(['TERM', 'INT', 'HUP', 'PIPE'].map((signal) => shell(`kill -${signal} $$`).signal)));";
    assert_eq!(
        output(&mut Command::new(compiled(&scratch, "plugin", source))),
        "[15,2,1,13]"
    );
}

#[test]
fn a_childs_status_is_known_even_where_sigchld_was_ignored() {
    let scratch = Scratch::new();
    let source = "import { run, writeStdout } from 'host';
        writeStdout(String(run('/bin/false', { env: {}, stdin: '', timeout: 9000 }).status));";
    let mut command = Command::new(compiled(&scratch, "plugin", source));
    // SAFETY: the closure calls only signal(2).
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGCHLD, libc::SIG_IGN);
            Ok(())
        });
    }
    assert_eq!(output(&mut command), "1");
}

#[test]
fn signals_end_the_plugin_unless_ignored() {
    let scratch = Scratch::new();
    let source = "import { pid, run, sleep } from 'host';
        run('/bin/sh', { args: ['-c', `kill -TERM ${pid()}`], env: {}, stdin: '', timeout: 9000 }); sleep(5000);";
    let result = with_stdin(&mut Command::new(compiled(&scratch, "plugin", source)), b"");
    assert_eq!(result.status.signal(), Some(15));
}

#[test]
fn clocks_digests_and_ids_are_right() {
    let scratch = Scratch::new();
    let source = "import { monotonic, pid, sha256, sleep, writeStdout } from 'host';
        const start = monotonic(); sleep(30); const took = monotonic() - start; sleep(-1); sleep(NaN);
        let error; try { sha256('\\ud800'); } catch ({ code }) { error = code; }
        writeStdout(JSON.stringify([took >= 30 && took < 3000, pid(), sha256(''), sha256('grüße'), error]));";
    let plugin = compiled(&scratch, "plugin", source);
    let child = Command::new(plugin).stdout(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let printed = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let digest = |text: &str| {
        let file = scratch.file("digested", text);
        output(Command::new("sha256sum").arg(file))
            .split(' ')
            .next()
            .unwrap()
            .to_owned()
    };
    let expected = format!(r#"[true,{pid},"{}","{}","EILSEQ"]"#, digest(""), digest("grüße"));
    assert_eq!(printed, expected);
}

#[test]
fn an_uncaught_error_is_told_on_standard_error_with_status_70() {
    let scratch = Scratch::new();
    let plugin = compiled(&scratch, "plugin", "\nthrow new TypeError('oh no')");
    let result = with_stdin(&mut Command::new(plugin), b"");
    assert_eq!(result.status.code(), Some(70));
    assert_eq!(
        stderr(&result),
        "plugin: TypeError: oh no\n    at <anonymous> (plugin.js:2:11)\n"
    );
    assert_eq!(result.stdout, b"");
}

#[test]
fn await_end_tells_a_signal_from_the_end_of_its_time() {
    let scratch = Scratch::new();
    let source = "import { awaitEnd, machine, writeStdout } from 'host';
        writeStdout(`${machine()} ${awaitEnd(0)} ${awaitEnd(30)} `); writeStdout(String(awaitEnd(60000)));";
    let plugin = compiled(&scratch, "plugin", source);
    let machine = output(Command::new("uname").arg("-m"));
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        let mut child = Command::new(&plugin).stdout(Stdio::piped()).spawn().unwrap();
        let mut printed = vec![0; machine.len() + "false false ".len()];
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut printed).unwrap();
        // SAFETY: the process is a child that was not waited for yet.
        unsafe { libc::kill(child.id() as libc::pid_t, signal) };
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(
            (String::from_utf8(printed).unwrap(), rest.as_str()),
            (format!("{} false false ", machine.trim_end()), "true")
        );
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn a_label_that_does_not_fit_is_refused() {
    let scratch = Scratch::new();
    let output = Command::new(env!("CARGO_BIN_EXE_compile"))
        .args([env!("CARGO_BIN_EXE_host"), "a.js"])
        .arg(scratch.path("a"))
        .arg("x".repeat(65))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(
        stderr(&output),
        format!("compile: {}: is 65 bytes, expected at most 64\n", "x".repeat(65))
    );
    assert!(!scratch.path("a").exists());
}

#[test]
fn an_executable_without_a_whole_plugin_says_so_with_status_70() {
    let scratch = Scratch::new();
    let whole = fs::read(compiled(&scratch, "whole", "")).unwrap();
    let format = whole.len() - 16;
    let other_format = [&whole[..format], &[9], &whole[format + 1..]].concat();
    let length = whole.len() - 32;
    let too_long = [&whole[..length], &u64::MAX.to_le_bytes(), &whole[length + 8..]].concat();
    let mut flipped = whole.clone();
    flipped[whole.len() - 96 - 10] ^= 1;
    for (name, content, words) in [
        (
            "bare",
            fs::read(env!("CARGO_BIN_EXE_host")).unwrap(),
            "there is no plugin",
        ),
        ("short", whole[..whole.len() - 1].to_vec(), "cut short"),
        ("format", other_format, "another format"),
        ("long", too_long, "damaged"),
        // The engine's own checksum detects the change. Without it, the engine would run damaged
        // bytecode.
        ("flipped", flipped, "checksum error"),
    ] {
        let program = scratch.path(name);
        // Another process writes the file. If this process did, a child of a parallel test might
        // inherit the open file.
        output(
            Command::new("install")
                .args(["-m", "755"])
                .arg(scratch.file("content", content))
                .arg(&program),
        );
        let result = with_stdin(&mut Command::new(&program), b"");
        assert_eq!(result.status.code(), Some(70), "{name}");
        assert!(
            stderr(&result).starts_with(&format!("{name}: ")) && stderr(&result).contains(words),
            "{result:?}"
        );
    }
}

#[test]
fn an_executable_runs_by_any_path_and_while_it_is_replaced() {
    let scratch = Scratch::new();
    let plugin = compiled(
        &scratch,
        "plugin",
        "import { writeStdout } from 'host'; writeStdout('1');",
    );
    let link = scratch.path("link");
    symlink(&plugin, &link).unwrap();
    assert_eq!(output(&mut Command::new(link)), "1");
    assert_eq!(output(Command::new("./plugin").current_dir(scratch.path(""))), "1");
    let holder = File::open(&plugin).unwrap();
    let replaced = compiled(
        &scratch,
        "plugin",
        "import { writeStdout } from 'host'; writeStdout('2');",
    );
    drop(holder);
    assert_eq!(output(&mut Command::new(replaced)), "2");
}

#[test]
fn a_small_stack_ends_deep_json_in_an_exception() {
    let scratch = Scratch::new();
    let source = "import { writeStdout } from 'host';
        try { JSON.parse('['.repeat(1e6)); } catch (error) { writeStdout(error.name); }";
    let plugin = compiled(&scratch, "plugin", source);
    let script = format!("ulimit -s 256 && exec {}", plugin.display());
    assert_eq!(output(Command::new("/bin/sh").args(["-c", &script])), "RangeError");
}

#[test]
fn closed_standard_streams_are_not_mistaken_for_files() {
    let scratch = Scratch::new();
    let source = "import { lock, writeFile, writeStderr, writeStdout } from 'host';
        const fd = lock('/tmp', 1000); writeStdout('x'); writeStderr('y'); writeFile(FILE, String(fd));";
    let file = scratch.file("file", "");
    let plugin = compiled(&scratch, "plugin", &source.replace("FILE", &support::quoted(&file)));
    let script = format!("exec {} <&- >&- 2>&-", plugin.display());
    assert!(
        Command::new("/bin/sh")
            .args(["-c", &script])
            .status()
            .unwrap()
            .success()
    );
    let fd: i32 = fs::read_to_string(file).unwrap().parse().unwrap();
    assert!(fd > 2);
}

#[test]
fn a_thread_that_cannot_leave_a_namespace_ends_the_process() {
    if !support::root("a thread that cannot leave a namespace ends the process") {
        return;
    }
    let scratch = Scratch::new();
    let source = "import { close, inNetns, openNetns, writeStdout } from 'host';
        const netns = openNetns('/proc/self/ns/net');
        inNetns(netns, () => { for (let fd = 3; fd < 20; fd++) try { close(fd); } catch {} });
        writeStdout('in the wrong place');";
    let mut command = Command::new(compiled(&scratch, "plugin", source));
    // SAFETY: the closure calls only setrlimit(2), which prevents a core file.
    unsafe {
        command.pre_exec(|| {
            let none = rustix::process::Rlimit {
                current: Some(0),
                maximum: Some(0),
            };
            rustix::process::setrlimit(rustix::process::Resource::Core, none).map_err(Into::into)
        });
    }
    let result = with_stdin(&mut command, b"");
    assert_eq!((result.status.signal(), result.stdout.as_slice()), (Some(6), &b""[..]));
    assert!(
        stderr(&result).contains("cannot return from a network namespace: setns: "),
        "{result:?}"
    );
}

#[test]
fn descriptors_are_not_inherited_by_children() {
    let scratch = Scratch::new();
    let source = "import { lock, netlinkSocket, openNetns, run, writeStdout } from 'host';
        lock('/tmp', 1000); netlinkSocket(0); openNetns('/proc/self/ns/net');
        writeStdout(run('/bin/ls', { args: ['/proc/self/fd'], env: {}, stdin: '', timeout: 9000 }).stdout);";
    let plugin = compiled(&scratch, "plugin", source);
    // The process that runs the tests may have left descriptors open.
    let without = output(Command::new("/bin/ls").arg("/proc/self/fd"));
    assert_eq!(output(&mut Command::new(plugin)), without);
}

#[test]
fn compile_says_what_is_wrong_with_a_bundle() {
    let scratch = Scratch::new();
    let compile = |args: &[&str]| with_stdin(Command::new(env!("CARGO_BIN_EXE_compile")).args(args), b"let = ;");
    let output = scratch.path("output");
    let result = compile(&[env!("CARGO_BIN_EXE_host"), "broken.js", output.to_str().unwrap()]);
    assert!(
        !result.status.success() && stderr(&result).contains("broken.js:1"),
        "{result:?}"
    );
    assert!(!output.exists());
    assert!(stderr(&compile(&[])).contains("usage"));
}
