//! Netlink sockets. TypeScript encodes and decodes the messages.

use std::{
    mem::MaybeUninit,
    num::NonZeroU32,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::{
    io::{self, Errno, retry_on_intr},
    net::{
        self, AddressFamily, Protocol, SendFlags, SocketFlags, SocketType,
        netlink::SocketAddrNetlink,
        sockopt::{Timeout, set_socket_recv_buffer_size, set_socket_recv_buffer_size_force, set_socket_timeout},
    },
};

use crate::error::{Attempt, HostError, Result};

/// Maximum length of a received datagram in bytes. The kernel's own messages have at most 32 KiB,
/// dumps at most 64 KiB.
pub const LONGEST: usize = 64 * 1024;

/// The kernel's port.
const KERNEL: u32 = 0;

/// How long to wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Size of the kernel's receive buffer in bytes. `ip` requests the same size.
const BACKLOG: usize = 1024 * 1024;

/// Opens a netlink socket in the current namespace.
///
/// It receives only messages whose sequence numbers have the same upper 16 bits as `sequence`. If
/// these are random, no other process in the namespace can fill the socket's buffer.
///
/// It has extended and capped ACKs, and strict checking if the kernel supports that. A receive
/// times out after 5 s.
pub fn socket(protocol: u32, sequence: u32) -> Result<OwnedFd> {
    let protocol = NonZeroU32::new(protocol).map(Protocol::from_raw);
    let socket =
        net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol).during("socket")?;
    let fd = socket.as_fd();
    set(fd, libc::NETLINK_EXT_ACK)?;
    set(fd, libc::NETLINK_CAP_ACK)?;
    match set(fd, libc::NETLINK_GET_STRICT_CHK) {
        // Before Linux 4.20.
        Err(HostError {
            errno: Errno::NOPROTOOPT,
            ..
        }) => {}
        result => result?,
    }
    // Exceeding net.core.rmem_max requires CAP_NET_ADMIN over the initial user namespace.
    set_socket_recv_buffer_size_force(fd, BACKLOG)
        .or_else(|_| set_socket_recv_buffer_size(fd, BACKLOG))
        .during("setsockopt")?;
    set_socket_timeout(fd, Timeout::Recv, Some(TIMEOUT)).during("setsockopt")?;
    // Before the socket has a port to which other processes can send.
    filter(fd, sequence).during("setsockopt")?;
    net::bind(fd, &SocketAddrNetlink::new(0, 0)).during("bind")?;
    Ok(socket)
}

/// Returns the cookie of the socket's network namespace, which is unique until reboot. ENOPROTOOPT
/// before Linux 5.14.
pub fn netns_cookie(fd: BorrowedFd<'_>) -> Result<u64> {
    /// `SO_NETNS_COOKIE` of <asm-generic/socket.h>, which libc does not have for musl.
    const SO_NETNS_COOKIE: libc::c_int = 71;
    let mut cookie = 0u64;
    let mut length = size_of_val(&cookie) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes.
    let result = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if result < 0 {
        let errno = Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL);
        return Err(errno).during("getsockopt");
    }
    Ok(cookie)
}

/// Sends one datagram.
pub fn send(fd: BorrowedFd<'_>, datagram: &[u8]) -> Result<()> {
    retry_on_intr(|| net::send(fd, datagram, SendFlags::empty()))
        .during("send")
        .map(drop)
}

/// Receives one datagram of the kernel into the buffer. EMSGSIZE if it was longer, EAGAIN if none
/// arrived in time.
///
/// Every process in the namespace with CAP_NET_ADMIN can send to the socket. Such datagrams are
/// dropped, and do not extend the time.
pub fn receive<'a>(fd: BorrowedFd<'_>, buffer: &'a mut [MaybeUninit<u8>; LONGEST]) -> Result<&'a [u8]> {
    let start = Instant::now();
    let length = loop {
        let (length, port) = receive_from(fd, buffer).during("recvfrom")?;
        if port == KERNEL {
            break length;
        }
        if start.elapsed() >= TIMEOUT {
            return Err(HostError::new(Errno::AGAIN, "recvfrom"));
        }
    };
    let datagram = buffer.get(..length).ok_or(HostError::new(Errno::MSGSIZE, "recvfrom"))?;
    // SAFETY: recvfrom wrote that many bytes.
    Ok(unsafe { &*(std::ptr::from_ref(datagram) as *const [u8]) })
}

/// Returns the length of the next datagram, which may be longer than the buffer, and its sender's
/// port.
fn receive_from(fd: BorrowedFd<'_>, buffer: &mut [MaybeUninit<u8>; LONGEST]) -> io::Result<(usize, u32)> {
    // SAFETY: all-zero bytes are a valid value of the type.
    let mut sender: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    retry_on_intr(|| {
        let mut size = size_of_val(&sender) as libc::socklen_t;
        // With MSG_TRUNC the kernel returns the length of the datagram instead of the length of
        // the received part.
        // SAFETY: the kernel writes at most the stated lengths.
        let length = unsafe {
            libc::recvfrom(
                fd.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                LONGEST,
                libc::MSG_TRUNC,
                (&raw mut sender).cast(),
                &raw mut size,
            )
        };
        usize::try_from(length)
            .map_err(|_| Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL))
    })
    .map(|length| (length, sender.nl_pid))
}

/// Attaches a program that drops messages with another upper half of the sequence number.
fn filter(fd: BorrowedFd<'_>, sequence: u32) -> io::Result<()> {
    /// The offset of the upper half of `nlmsg_seq` in struct nlmsghdr.
    const UPPER: u32 = if cfg!(target_endian = "little") { 10 } else { 8 };
    let bytes = sequence.to_ne_bytes();
    let upper = if cfg!(target_endian = "little") {
        [bytes[2], bytes[3]]
    } else {
        [bytes[0], bytes[1]]
    };
    let step = |code: u32, jf: u8, k: u32| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf,
        k,
    };
    let mut program = [
        // The program loads numbers as big-endian.
        step(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, 0, UPPER),
        step(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            1,
            u16::from_be_bytes(upper).into(),
        ),
        step(libc::BPF_RET | libc::BPF_K, 0, u32::MAX),
        step(libc::BPF_RET | libc::BPF_K, 0, 0),
    ];
    let fprog = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the program and its description outlive the call, and the length is the type's.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const fprog).cast(),
            size_of_val(&fprog) as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL))
    }
}

/// Enables an option of netlink sockets that rustix does not support.
fn set(fd: BorrowedFd<'_>, option: libc::c_int) -> Result<()> {
    let on: libc::c_int = 1;
    let length = size_of_val(&on) as libc::socklen_t;
    // SAFETY: the value is an int, as all of these options take, and it outlives the call.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_NETLINK,
            option,
            (&raw const on).cast(),
            length,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error()).during("setsockopt")
    }
}
