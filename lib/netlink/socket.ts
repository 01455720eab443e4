// An rtnetlink client on a real socket.
import * as host from "host";
import { Rtnetlink } from "./client.ts";

/** NETLINK_ROUTE of <linux/netlink.h>. */
const route = 0;

/** Opens a client of the network namespace that this thread is in, and stays there. Close it after use. Throws a HostError. */
export function openRtnetlink(): Rtnetlink {
  const socket = host.netlinkSocket(route);
  return new Rtnetlink({
    send: (datagram) => host.send(socket, datagram),
    receive: () => host.receive(socket),
    close: () => host.close(socket),
  });
}
