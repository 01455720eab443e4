// A netlink client on a real socket.
import * as host from "host";
import { ignoring } from "../errno.ts";
import { Netlink } from "./client.ts";

/** NETLINK_ROUTE of <linux/netlink.h>. */
const route = 0;

/**
 * Opens a client of the network namespace that this thread is in. The client stays in that
 * namespace. Close it after use. Throws a HostError.
 */
export function openRtnetlink(): { readonly rtnl: Netlink; readonly cookie: string | undefined } {
  // Random, so that no process in the namespace can guess the numbers of the requests before the
  // socket is connected.
  const base = Math.floor(host.random() / 0x10000) * 0x10000;
  const socket = host.netlinkSocket(route);
  const transport = {
    send: (datagram: Uint8Array) => host.send(socket, datagram),
    receive: () => host.receive(socket),
    close: () => host.close(socket),
  };
  const rtnl = new Netlink(transport, base);
  return { rtnl, cookie: cookieOf(socket) };
}

/**
 * Returns the cookie of the socket's namespace. No other namespace has the same one.
 * Undefined before Linux 5.14.
 */
function cookieOf(socket: number): string | undefined {
  return ignoring(["ENOPROTOOPT"], () => host.netnsCookie(socket));
}
