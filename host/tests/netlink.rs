//! Tests of the calls on netlink sockets, called from JavaScript.

mod support;

use std::{
    fs, io,
    os::{
        fd::{AsRawFd, BorrowedFd},
        unix::net::UnixDatagram,
    },
    thread,
    time::{Duration, Instant},
};

use rustix::net::sockopt::{Timeout, set_socket_recv_buffer_size_force, socket_recv_buffer_size, socket_timeout};
use support::{failure, in_new_netns, root, thrown, value};

/// JavaScript that requests a dump of all links and reads the type of the answer's first message.
const DUMP_LINKS: &str = "
  const request = new Uint8Array([32,0,0,0, 18,0, 1,3, 1,0,0,0, 0,0,0,0, ...new Array(16).fill(0)]);
  host.send(socket, request);
  const answer = host.receive(socket);
  const type = answer[4] | (answer[5] << 8);";

#[test]
fn a_socket_talks_to_the_kernel() {
    let call =
        format!("(() => {{ const socket = host.netlinkSocket(0); {DUMP_LINKS} host.close(socket); return type; }})()");
    assert_eq!(value(&call), "16");
}

#[test]
fn a_socket_stays_in_the_namespace_it_was_made_in() {
    if !root("a socket stays in the namespace it was made in") {
        return;
    }
    in_new_netns(|| {
        let netns = fs::File::open("/proc/thread-self/ns/net").unwrap();
        let count = "(socket) => { host.send(socket, new Uint8Array([32,0,0,0, 18,0, 1,3, 1,0,0,0, 0,0,0,0,
          ...new Array(16).fill(0)])); let count = 0;
          for (;;) { const answer = host.receive(socket);
            for (let at = 0; at < answer.length; at += (answer[at] | (answer[at + 1] << 8)) + 3 & ~3) {
              if (answer[at + 4] === 3) return count; count++; } } }";
        let call = format!(
            "(() => {{ host.createTap('here', {{ multiQueue: false }}); const links = {count};
               const there = host.inNetns({}, () => host.netlinkSocket(0));
               return [links(there), links(host.netlinkSocket(0))]; }})()",
            netns.as_raw_fd()
        );
        // A new namespace has a loopback and, with some modules, fallback tunnels. All new
        // namespaces have the same links.
        let [there, here]: [u32; 2] = in_new_netns(|| {
            let text = value(&call);
            let numbers: Vec<_> = text
                .trim_matches(['[', ']'])
                .split(',')
                .map(|number| number.parse().unwrap())
                .collect();
            numbers.try_into().unwrap()
        });
        assert_eq!(there + 1, here);
    });
}

#[test]
fn a_namespace_has_a_cookie_that_no_other_one_has() {
    if !root("a namespace has a cookie that no other one has") {
        return;
    }
    const COOKIE: &str = "host.netnsCookie(host.netlinkSocket(0))";
    let cookies = [
        in_new_netns(|| [value(COOKIE), value(COOKIE)]),
        in_new_netns(|| [value(COOKIE), value(COOKIE)]),
    ];
    for [first, second] in &cookies {
        assert!(
            first.trim_matches('"').parse::<u64>().unwrap() > 0 && first.starts_with('"'),
            "{first}"
        );
        assert_eq!(first, second);
    }
    assert_ne!(cookies[0], cookies[1]);
}

#[test]
fn a_socket_has_all_its_options() {
    let fd: i32 = value("host.netlinkSocket(0)").parse().unwrap();
    // SAFETY: the call above opened the socket, and nothing closes it.
    let socket = unsafe { BorrowedFd::borrow_raw(fd) };
    assert_eq!(
        socket_timeout(socket, Timeout::Recv).unwrap(),
        Some(Duration::from_secs(5))
    );
    for (name, option) in [
        ("extended ACKs", libc::NETLINK_EXT_ACK),
        ("capped ACKs", libc::NETLINK_CAP_ACK),
        ("strict checking", libc::NETLINK_GET_STRICT_CHK),
    ] {
        let (mut value, mut length) = (0_i32, 4);
        // SAFETY: the value is an int, as its length states.
        let result =
            unsafe { libc::getsockopt(fd, libc::SOL_NETLINK, option, (&raw mut value).cast(), &raw mut length) };
        assert_eq!((result, value), (0, 1), "{name}");
    }
    if root("a socket has room for a mebibyte") {
        // The kernel doubles the size, to account for its own data about each message.
        assert_eq!(socket_recv_buffer_size(socket).unwrap(), 2 * 1024 * 1024);
    }
}

#[test]
fn a_refused_request_comes_with_the_kernels_own_words() {
    // RTM_GETLINK of an index that no link has, with a wrong family: strict checking returns a
    // message that explains the error.
    let call = "(() => { const socket = host.netlinkSocket(0);
      host.send(socket, new Uint8Array([36,0,0,0, 18,0, 1,3, 1,0,0,0, 0,0,0,0, ...new Array(20).fill(1)]));
      return String.fromCharCode(...host.receive(socket)).replace(/[^ -~]+/g, ' '); })()";
    assert!(value(call).to_lowercase().contains("invalid"), "{}", value(call));
}

#[test]
fn a_datagram_is_sent_from_its_offset_to_its_length() {
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    let fd = theirs.as_raw_fd();
    value(&format!(
        "host.send({fd}, new Uint8Array([1, 2, 3, 4, 5]).subarray(1, 4))"
    ));
    let mut buffer = [0; 16];
    assert_eq!(ours.recv(&mut buffer).unwrap(), 3);
    assert_eq!(buffer[..3], [2, 3, 4]);
    value(&format!("host.send({fd}, new Uint8Array(0))"));
    assert_eq!(ours.recv(&mut buffer).unwrap(), 0);
}

#[test]
fn a_datagram_is_received_whole_or_not_at_all() {
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    let (from, to) = (ours.as_raw_fd(), theirs.as_raw_fd());
    value(&format!("host.send({from}, new Uint8Array([7, 8]))"));
    assert_eq!(value(&format!("[...host.receive({to})]")), "[7,8]");
    value(&format!("host.send({from}, new Uint8Array(65536).fill(9))"));
    assert_eq!(
        value(&format!(
            "(a => [a.length, a[65535], a.byteOffset])(host.receive({to}))"
        )),
        "[65536,9,0]"
    );
    value(&format!("host.send({from}, new Uint8Array(65537))"));
    assert_eq!(thrown(&format!("host.receive({to})")), failure("EMSGSIZE", "recvfrom"));
}

#[test]
fn nothing_received_in_time_is_eagain() {
    let (_ours, theirs) = UnixDatagram::pair().unwrap();
    theirs.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert_eq!(
        thrown(&format!("host.receive({})", theirs.as_raw_fd())),
        failure("EAGAIN", "recvfrom")
    );
}

#[test]
fn another_process_cannot_send_to_the_socket() {
    support::in_new_netns(|| {
        let socket: i32 = value("host.netlinkSocket(0)").parse().unwrap();
        let error = forge_ack(port_of(socket)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
        assert_eq!(answer_to_request_9(socket), "[16,9]");
    });
}

#[test]
fn a_datagram_that_another_process_sent_before_the_connection_is_dropped() {
    support::in_new_netns(|| {
        let socket = bound_socket();
        forge_ack(port_of(socket)).unwrap();
        assert_eq!(answer_to_request_9(socket), "[16,9]");
    });
}

/// Returns the type and the number of the first message that the host receives after a request
/// RTM_GETLINK with the number 9: RTM_NEWLINK (16) if it is the kernel's answer.
fn answer_to_request_9(socket: i32) -> String {
    let get = "[32,0,0,0, 18,0, 1,0, 9,0,0,0, 0,0,0,0, 0,0,0,0, 1,0,0,0, 0,0,0,0, 0,0,0,0]";
    value(&format!(
        "(host.send({socket}, new Uint8Array({get})), ((a) => [a[4], a[8]])(host.receive({socket})))"
    ))
}

/// Sends an ACK of request 9 to a port, from a socket of its own.
fn forge_ack(port: u32) -> io::Result<()> {
    let ack: Vec<u8> = [20 + 16, 2, 9, 0, 0, 0, 0, 0, 0]
        .iter()
        .flat_map(|word: &u32| word.to_ne_bytes())
        .collect();
    let forger = bound_socket();
    // SAFETY: all-zero bytes are a valid value, and the kernel reads the stated lengths.
    let sent = unsafe {
        let mut to: libc::sockaddr_nl = std::mem::zeroed();
        to.nl_family = libc::AF_NETLINK as u16;
        to.nl_pid = port;
        let size = size_of_val(&to) as libc::socklen_t;
        libc::sendto(forger, ack.as_ptr().cast(), ack.len(), 0, (&raw const to).cast(), size)
    };
    if sent == 36 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Opens a socket of NETLINK_ROUTE that has a port and is not connected.
fn bound_socket() -> i32 {
    // SAFETY: all-zero bytes are a valid value, and the kernel reads the stated length.
    unsafe {
        let socket = libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, 0);
        let mut name: libc::sockaddr_nl = std::mem::zeroed();
        name.nl_family = libc::AF_NETLINK as u16;
        let size = size_of_val(&name) as libc::socklen_t;
        assert_eq!(libc::bind(socket, (&raw const name).cast(), size), 0);
        socket
    }
}

fn port_of(socket: i32) -> u32 {
    // SAFETY: all-zero bytes are a valid value. The kernel writes at most the stated length.
    unsafe {
        let mut name: libc::sockaddr_nl = std::mem::zeroed();
        let mut size = size_of_val(&name) as libc::socklen_t;
        assert_eq!(libc::getsockname(socket, (&raw mut name).cast(), &raw mut size), 0);
        name.nl_pid
    }
}

#[test]
fn random_numbers_have_32_bits_and_no_sign() {
    let calls = "Array.from({ length: 200 }, () => host.random())";
    assert_eq!(
        value(&format!(
            "((all) => [all.every((one) => one >= 0 && one < 2 ** 32), all.some((one) => one >= 2 ** 31), new Set(all).size > 190])({calls})"
        )),
        "[true,true,true]"
    );
}

#[test]
fn a_signal_does_not_interrupt_a_receive() {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: the handler does nothing. Without SA_RESTART the kernel interrupts the system call.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as *const () as usize;
        libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut());
    }
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    // SAFETY: the call only returns this thread's ID.
    let receiver = unsafe { libc::pthread_self() } as usize;
    thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..5 {
                thread::sleep(Duration::from_millis(20));
                // SAFETY: the receiving thread outlives this scope.
                unsafe { libc::pthread_kill(receiver as libc::pthread_t, libc::SIGUSR1) };
            }
            ours.send(&[1]).unwrap();
        });
        let start = Instant::now();
        assert_eq!(value(&format!("[...host.receive({})]", theirs.as_raw_fd())), "[1]");
        assert!(start.elapsed() >= Duration::from_millis(90));
    });
}

#[test]
fn errors_name_the_system_call() {
    let file = fs::File::open("/dev/null").unwrap();
    let fd = file.as_raw_fd();
    assert_eq!(thrown("host.netlinkSocket(31)"), failure("EPROTONOSUPPORT", "socket"));
    assert_eq!(thrown("host.send(-1, new Uint8Array(1))"), failure("EBADF", "send"));
    assert_eq!(
        thrown(&format!("host.send({fd}, new Uint8Array(1))")),
        failure("ENOTSOCK", "send")
    );
    assert_eq!(thrown("host.receive(-1)"), failure("EBADF", "recvfrom"));
    assert_eq!(thrown("host.netnsCookie(-1)"), failure("EBADF", "getsockopt"));
    assert_eq!(
        thrown(&format!("host.netnsCookie({fd})")),
        failure("ENOTSOCK", "getsockopt")
    );
    assert_eq!(thrown(&format!("host.receive({fd})")), failure("ENOTSOCK", "recvfrom"));
    let detached = format!("((a) => {{ a.buffer.transfer(); host.send({fd}, a); }})(new Uint8Array(1))");
    assert_eq!(thrown(&detached), failure("EFAULT", "send"));
}

#[test]
fn a_larger_backlog_than_the_system_allows_is_had_by_root() {
    if !root("a larger backlog than the system allows is had by root") {
        return;
    }
    let (ours, _) = UnixDatagram::pair().unwrap();
    assert!(set_socket_recv_buffer_size_force(&ours, 1024 * 1024).is_ok());
    let backlog = support::as_nobody(|| {
        let fd: i32 = value("host.netlinkSocket(0)").parse().unwrap();
        // SAFETY: the call above opened the socket, and nothing closes it.
        socket_recv_buffer_size(unsafe { BorrowedFd::borrow_raw(fd) }).unwrap()
    });
    assert!((100_000..=2 * 1024 * 1024).contains(&backlog), "{backlog}");
}
