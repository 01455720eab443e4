//! Helpers of the tests: calls from JavaScript, and isolated places to run them in.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file has this module to itself, and needs a part of it"
)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use host::engine::{Engine, Parser};
use rustix::{
    process::geteuid,
    thread::{UnshareFlags, unshare_unsafe},
};

/// A `HostError` as JavaScript receives it.
#[derive(Debug, PartialEq)]
pub struct Failure {
    pub code: String,
    pub syscall: String,
    pub path: Option<String>,
}

/// Returns the expected error of a call that is not about a file.
pub fn failure(code: &str, syscall: &str) -> Failure {
    Failure {
        code: code.into(),
        syscall: syscall.into(),
        path: None,
    }
}

/// Returns the expected error of a call about a file, link or program.
pub fn failure_on(code: &str, syscall: &str, path: impl AsRef<Path>) -> Failure {
    Failure {
        path: Some(path.as_ref().to_str().unwrap().into()),
        ..failure(code, syscall)
    }
}

/// Returns the JSON of a JavaScript expression's value, with `host` in scope.
pub fn value(expression: &str) -> String {
    evaluate(expression).unwrap_or_else(|(message, failure)| panic!("{expression}: {message} {failure:?}"))
}

/// Returns the `HostError` that a JavaScript expression throws, with `host` in scope.
pub fn thrown(expression: &str) -> Failure {
    match evaluate(expression) {
        Ok(value) => panic!("{expression} gives {value}"),
        Err((_, Some(failure))) => failure,
        Err((message, None)) => panic!("{expression} throws no HostError but {message}"),
    }
}

/// Returns the message of any error that a JavaScript expression throws, with `host` in scope.
pub fn message(expression: &str) -> String {
    evaluate(expression).expect_err("an exception").0
}

fn evaluate(expression: &str) -> Result<String, (String, Option<Failure>)> {
    let engine = Engine::start::<Parser>().unwrap();
    let module = format!(
        r#"import * as host from "host";
        try {{ globalThis.value = JSON.stringify(({expression})) ?? "undefined"; }}
        catch (error) {{
          globalThis.message = String(error);
          if (error instanceof Error && typeof error.code === "string") globalThis.failure = error;
        }}"#
    );
    engine.evaluate("test.js", &module).unwrap();
    engine.with(|ctx| {
        let globals = ctx.globals();
        if let Some(value) = globals.get::<_, Option<String>>("value").unwrap() {
            return Ok(value);
        }
        let error: Option<rquickjs::Object> = globals.get("failure").unwrap();
        let failure = error.map(|error| Failure {
            code: error.get("code").unwrap(),
            syscall: error.get("syscall").unwrap(),
            path: error.get("path").unwrap(),
        });
        Err((globals.get("message").unwrap(), failure))
    })
}

/// Quotes a path as a JavaScript literal.
pub fn quoted(path: impl AsRef<Path>) -> String {
    format!("{:?}", path.as_ref().to_str().unwrap())
}

/// A directory that is removed with its contents on drop.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("host-test-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Whether the tests run as root. Prints a message if they do not.
pub fn root(test: &str) -> bool {
    let root = geteuid().is_root();
    if !root {
        eprintln!("SKIPPED, needs root: {test}");
    }
    root
}

/// Runs a test in a network namespace of its own thread. The namespace ends with the thread.
pub fn in_new_netns<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    apart(|| {
        // SAFETY: the call unshares no descriptors.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.unwrap();
        test()
    })
}

/// Runs a test as a user without any privileges, in a thread of its own.
pub fn as_nobody<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    apart(|| {
        const NOBODY: libc::uid_t = 65534;
        // SAFETY: unlike the C library's function, the raw system call changes only this thread's
        // IDs.
        let result = unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
        assert_eq!(result, 0);
        test()
    })
}

fn apart<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        scope
            .spawn(test)
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Builds an executable from a JavaScript module, as the build does, and returns its path.
pub fn compiled(scratch: &Scratch, name: &str, source: &str) -> PathBuf {
    let bundle = scratch.file(&format!("{name}.source.js"), source);
    let output = scratch.path(name);
    let status = Command::new(env!("CARGO_BIN_EXE_compile"))
        .args([
            env!("CARGO_BIN_EXE_host"),
            &format!("{name}.js"),
            output.to_str().unwrap(),
        ])
        .stdin(fs::File::open(bundle).unwrap())
        .status()
        .unwrap();
    assert!(status.success());
    output
}

/// Returns a program's standard output. Panics if the program fails.
pub fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
