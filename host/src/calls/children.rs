//! Runs another program, and writes its input and reads its output at the same time.

use std::{
    ffi::OsString,
    os::{
        fd::AsFd,
        unix::{
            ffi::OsStringExt,
            process::{CommandExt, ExitStatusExt},
        },
    },
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::{
    buffer::spare_capacity,
    event::{PollFd, PollFlags, Timespec, poll},
    io::{self, Errno, ioctl_fionbio, retry_on_intr},
    process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open},
};

use super::process::{heed_signals, ignores_signals};
use crate::{
    error::{Attempt, HostError, Result},
    text::Text,
};

/// Maximum length of a child's standard output in bytes.
const LONGEST_OUTPUT: usize = 1024 * 1024;

/// A program to run, apart from its path.
pub struct Run {
    /// Arguments, without the program's own name.
    pub args: Vec<Text>,
    /// The child's whole environment.
    pub env: Vec<(Text, Text)>,
    /// Contents of the child's standard input.
    pub stdin: Text,
    /// How long the child may run.
    pub timeout: Duration,
}

/// How a child ended.
pub struct Outcome {
    /// Exit status, or 128 + the signal that ended the child.
    pub status: i32,
    /// The signal that ended the child.
    pub signal: Option<i32>,
    /// What the child wrote to its standard output.
    pub stdout: String,
}

/// Runs a program by its path, in a process group of its own, and waits for it.
///
/// ETIMEDOUT if the child runs too long, EFBIG if it writes too much. In both cases its whole
/// process group is killed. Returns when the child itself exits. Does not wait for the output of a
/// daemon that the child leaves behind.
pub fn run(path: &Text, run: &Run) -> Result<Outcome> {
    let deadline = Instant::now() + run.timeout;
    let stdin = run.stdin.utf8().on("write", path)?.as_bytes();
    let mut child = command(path, run).on("execve", path)?.spawn().on("execve", path)?;
    let stdout = converse(&mut child, stdin, deadline).map_err(|(errno, syscall)| {
        kill(&mut child);
        HostError::on(errno, syscall, path)
    });
    let status = child.wait().on("waitpid", path)?;
    let signal = status.signal();
    Ok(Outcome {
        stdout: String::from_utf8(stdout?).map_err(|_| Errno::ILSEQ).on("read", path)?,
        status: status.code().unwrap_or(128 + signal.unwrap_or_default()),
        signal,
    })
}

fn command(path: &Text, run: &Run) -> io::Result<Command> {
    let mut program = os(path)?;
    if !program.as_encoded_bytes().contains(&b'/') {
        // Without a slash, the program would be searched for in PATH.
        program = [OsString::from("./"), program].into_iter().collect();
    }
    let mut command = Command::new(program);
    command
        .env_clear()
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    for arg in &run.args {
        command.arg(os(arg)?);
    }
    for (name, value) in &run.env {
        let name = os(name)?;
        if name.is_empty() || name.as_encoded_bytes().contains(&b'=') {
            return Err(Errno::INVAL);
        }
        command.env(name, os(value)?);
    }
    if ignores_signals() {
        // SAFETY: the closure calls only signal(2), which is allowed between fork and exec.
        unsafe {
            command.pre_exec(|| {
                heed_signals();
                Ok(())
            });
        }
    }
    Ok(command)
}

fn os(text: &Text) -> io::Result<OsString> {
    Ok(OsString::from_vec(text.c_string()?.into_bytes()))
}

/// Writes the child's input and reads its output until it exits. The error is the errno and the
/// failed system call.
fn converse(
    child: &mut Child,
    mut input: &[u8],
    deadline: Instant,
) -> std::result::Result<Vec<u8>, (Errno, &'static str)> {
    let during = |syscall| move |errno| (errno, syscall);
    let process = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).map_err(during("pidfd_open"))?;
    let (mut stdin, mut stdout) = (child.stdin.take(), child.stdout.take());
    for pipe in [stdin.as_ref().map(AsFd::as_fd), stdout.as_ref().map(AsFd::as_fd)]
        .into_iter()
        .flatten()
    {
        ioctl_fionbio(pipe, true).map_err(during("ioctl"))?;
    }
    let mut output = Vec::new();
    loop {
        feed(&mut stdin, &mut input).map_err(during("write"))?;
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err((Errno::TIMEDOUT, "waitpid"));
        }
        let mut events = vec![PollFd::new(&process, PollFlags::IN)];
        events.extend(stdout.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        events.extend(stdin.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::OUT)));
        match poll(&mut events, Timespec::try_from(left).ok().as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err((errno, "poll")),
        }
        let ended = !events[0].revents().is_empty();
        drain(&mut stdout, &mut output).map_err(during("read"))?;
        if ended {
            return Ok(output);
        }
    }
}

/// Writes as much as the pipe accepts. Closes it after the last byte, or if the child has closed
/// its end.
fn feed(pipe: &mut Option<ChildStdin>, input: &mut &[u8]) -> io::Result<()> {
    while let Some(stdin) = pipe {
        if input.is_empty() {
            *pipe = None;
            break;
        }
        match retry_on_intr(|| io::write(&*stdin, input)) {
            Ok(written) => *input = &input[written..],
            Err(Errno::AGAIN) => break,
            Err(Errno::PIPE) => *pipe = None,
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Reads as much as the pipe holds. Closes it at the end of the output.
fn drain(pipe: &mut Option<ChildStdout>, output: &mut Vec<u8>) -> io::Result<()> {
    while let Some(stdout) = pipe {
        output.reserve(4096);
        match retry_on_intr(|| io::read(&*stdout, spare_capacity(output))) {
            Ok(0) => *pipe = None,
            Ok(_) if output.len() > LONGEST_OUTPUT => return Err(Errno::FBIG),
            Ok(_) => {}
            Err(Errno::AGAIN) => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn kill(child: &mut Child) {
    // Either call fails only if there is nothing left to kill.
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    let _ = child.kill();
}
