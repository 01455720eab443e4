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
/// It is connected to the kernel: the kernel refuses what other processes send to it
/// (netlink_getsockbyportid in net/netlink/af_netlink.c), so that they cannot fill its buffer.
///
/// It has extended and capped ACKs, and strict checking if the kernel supports that. A receive
/// times out after 5 s.
pub fn socket(protocol: u32) -> Result<OwnedFd> {
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
    // Gives the socket a port, too.
    net::connect(fd, &SocketAddrNetlink::new(KERNEL, 0)).during("connect")?;
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
/// A process in the namespace with CAP_NET_ADMIN can send to the socket before it is connected.
/// Such datagrams are dropped, and do not extend the time.
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
