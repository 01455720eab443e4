//! Creates a tap under an SELinux context.
//!
//! A child process of this executable changes to the context, creates the tap, and passes the
//! descriptor back. The kernel labels a tap permanently with the context of the process that
//! creates it. A process can change its context only by executing a program.

use std::{
    ffi::{CStr, CString, OsStr},
    io::{IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{ffi::OsStrExt, process::CommandExt},
    },
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use rustix::{
    fs::{self, Mode, OFlags},
    io::{self, Errno, retry_on_intr},
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
        sockopt::{Timeout, set_socket_timeout},
    },
    stdio::stdin,
};

use super::taps;
use crate::{
    error::{Attempt, HostError, Result},
    text::Text,
};

/// The first argument that distinguishes such a child from a plugin.
const MARK: &CStr = c"--make-tap";
/// The child's last argument if the tap should have several queues.
const MULTI_QUEUE: &CStr = c"multi-queue";

/// Exists if the kernel has SELinux and SELinux is enabled.
const SELINUX: &str = "/sys/fs/selinux";
/// The file for the context that the next execve(2) of this thread changes to.
const NEXT_CONTEXT: &CStr = c"/proc/thread-self/attr/exec";

/// Creates a tap in the current namespace under an SELinux context.
///
/// EOPNOTSUPP on a node without SELinux. EINVAL or EACCES if the context is unknown or refused.
pub fn create(name: &Text, multi_queue: bool, context: &Text) -> Result<OwnedFd> {
    if fs::stat(SELINUX).is_err() {
        return Err(HostError::on(Errno::OPNOTSUPP, "stat", SELINUX));
    }
    create_in_child(Path::new("/proc/self/exe"), name, multi_queue, Some(context))
}

/// Creates a tap in a child process, which executes `program` under the context, if any.
pub fn create_in_child(program: &Path, name: &Text, multi_queue: bool, context: Option<&Text>) -> Result<OwnedFd> {
    let pair = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
    let (ours, theirs) = pair.during("socketpair")?;
    set_socket_timeout(&ours, Timeout::Recv, Some(Duration::from_secs(10))).during("setsockopt")?;

    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::from(theirs)).stdout(Stdio::null());
    for arg in [
        MARK,
        &name.c_string().on("ioctl", name)?,
        if multi_queue { MULTI_QUEUE } else { c"" },
    ] {
        command.arg(OsStr::from_bytes(arg.to_bytes()));
    }
    if let Some(context) = context {
        let context: CString = context.c_string().on("write", NEXT_CONTEXT.to_string_lossy())?;
        // SAFETY: the closure makes system calls, allocates nothing and takes no lock.
        unsafe { command.pre_exec(move || take_context(&context)) };
    }
    let child = command.spawn();
    // The command holds the child's end of the socket. While it is open here, the end of the child
    // does not close the socket.
    drop(command);
    let report = receive(ours.as_fd());
    match child {
        Ok(mut child) => {
            if report.is_err() {
                // Fails only if the child has already ended.
                let _ = child.kill();
            }
            child.wait().on("waitpid", program.display())?;
        }
        // Without a report, the execution itself failed.
        Err(error) if report.is_err() => return Err(error).on("execve", program.display()),
        Err(_) => {}
    }
    match report.during("recvmsg")? {
        Report::Made(tap) => Ok(tap),
        Report::Failed(Step::Context, errno) => Err(HostError::on(errno, "write", NEXT_CONTEXT.to_string_lossy())),
        Report::Failed(Step::Open, errno) => Err(HostError::on(errno, "open", taps::DEVICE)),
        Report::Failed(Step::Create, errno) => Err(HostError::on(errno, "ioctl", name)),
    }
}

/// In the child: creates the tap, reports it, and returns the exit status. Returns `None` if this
/// is no such child.
pub fn serve(args: &[&CStr]) -> Option<i32> {
    let [mark, name, queues] = args else { return None };
    if *mark != MARK {
        return None;
    }
    let sent = match taps::create(&Text::from(name.to_bytes()), *queues == MULTI_QUEUE) {
        Ok(tap) => hand_over(tap.as_fd()),
        Err(error) => report(
            if error.syscall == "open" {
                Step::Open
            } else {
                Step::Create
            },
            error.errno,
        ),
    };
    Some(sent.is_err().into())
}

/// Runs in the child, between fork and exec.
fn take_context(context: &CStr) -> std::io::Result<()> {
    let taken = fs::open(NEXT_CONTEXT, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
        .and_then(|file| io::write(file, context.to_bytes()));
    taken.map(drop).map_err(|errno| {
        // If this fails as well, the parent still receives the errno, from spawn.
        let _ = report(Step::Context, errno);
        errno.into()
    })
}

/// The child's message to the parent, over the socket that is the child's standard input.
#[derive(Debug)]
enum Report {
    Made(OwnedFd),
    Failed(Step, Errno),
}

/// The steps of the child, in this order.
#[derive(Debug, Clone, Copy)]
enum Step {
    Context,
    Open,
    Create,
}

const STEPS: [Step; 3] = [Step::Context, Step::Open, Step::Create];

/// Length of a report in bytes.
///
/// A failure is the step's index in `STEPS` and the errno. A success is any byte, with the
/// descriptor as ancillary data.
const REPORT_SIZE: usize = 5;

fn report(step: Step, errno: Errno) -> io::Result<()> {
    let mut message = [step as u8; REPORT_SIZE];
    message[1..].copy_from_slice(&errno.raw_os_error().to_ne_bytes());
    send(&message, &mut SendAncillaryBuffer::default())
}

fn hand_over(tap: BorrowedFd<'_>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    let taps = [tap];
    if !rights.push(SendAncillaryMessage::ScmRights(&taps)) {
        return Err(Errno::NOBUFS);
    }
    send(&[0], &mut rights)
}

fn send(message: &[u8], rights: &mut SendAncillaryBuffer<'_, '_, '_>) -> io::Result<()> {
    retry_on_intr(|| sendmsg(stdin(), &[IoSlice::new(message)], rights, SendFlags::NOSIGNAL)).map(drop)
}

/// Receives the report in the parent. EPIPE if the child ended without a report.
fn receive(socket: BorrowedFd<'_>) -> io::Result<Report> {
    let mut message = [0; REPORT_SIZE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(&mut message)];
    let received = retry_on_intr(|| recvmsg(socket, &mut parts, &mut rights, RecvFlags::CMSG_CLOEXEC))?;
    let taps = rights.drain().filter_map(|part| match part {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    if let Some(tap) = taps.flatten().next() {
        return Ok(Report::Made(tap));
    }
    let [step, errno @ ..] = message;
    match STEPS.get(usize::from(step)) {
        Some(step) if received.bytes == REPORT_SIZE => Ok(Report::Failed(
            *step,
            Errno::from_raw_os_error(i32::from_ne_bytes(errno)),
        )),
        _ => Err(Errno::PIPE),
    }
}
