//! What a process needs before its plugin runs, and how it reports that something is missing.

use std::{env, io::Write};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The stack that the engine uses if it can, in bytes.
const WANTED: u64 = 1024 * 1024;

/// The stack without which a call cannot end, in bytes.
const NEEDED: u64 = 256 * 1024;

/// Raises the limit of the stack if it is low. The kernel compares the limit when the stack grows,
/// so that this works in a running process.
pub(crate) fn ensure_stack() -> Result<(), String> {
    let Rlimit { current, maximum } = getrlimit(Resource::Stack);
    let Some(limit) = current.filter(|&limit| limit < WANTED) else {
        return Ok(());
    };
    let raised = Rlimit {
        current: Some(WANTED),
        maximum: maximum.map(|maximum| maximum.max(WANTED)),
    };
    match setrlimit(Resource::Stack, raised) {
        Err(errno) if limit < NEEDED => Err(format!(
            "RLIMIT_STACK: is {} KiB, expected {} KiB or more, and cannot be raised: {errno}",
            limit / 1024,
            NEEDED / 1024
        )),
        _ => Ok(()),
    }
}

/// Reports a fault that keeps the plugin from running: to the runtime by a CNI error (code 5) on
/// standard output, and to an operator on standard error.
pub(crate) fn report(program: &str, fault: &str) {
    eprintln!("{program}: {fault}");
    if env::var_os("CNI_COMMAND").is_some_and(|command| !command.is_empty()) {
        let msg: String = fault
            .chars()
            .map(|character| match character {
                '"' => "'".into(),
                '\\' => "/".into(),
                '\0'..='\x1f' => " ".into(),
                other => other.to_string(),
            })
            .collect();
        // Nothing can be done about a failure.
        let _ = writeln!(std::io::stdout(), r#"{{"cniVersion":"1.1.0","code":5,"msg":"{msg}"}}"#);
    }
}

/// Reports that there is no memory for the plugin. Allocates nothing.
pub(crate) fn report_no_memory() {
    const DOCUMENT: &[u8] =
        b"{\"cniVersion\":\"1.1.0\",\"code\":5,\"msg\":\"RLIMIT_AS: leaves no room for the plugin's memory, \
        expected 32 MiB of address space\"}\n";
    // SAFETY: the strings end with NUL, and the bytes outlive the calls.
    unsafe {
        let command = libc::getenv(c"CNI_COMMAND".as_ptr());
        let called = !command.is_null() && *command != 0;
        let stream = if called {
            libc::STDOUT_FILENO
        } else {
            libc::STDERR_FILENO
        };
        // Nothing can be done about a failure.
        let _ = libc::write(stream, DOCUMENT.as_ptr().cast(), DOCUMENT.len());
    }
}
