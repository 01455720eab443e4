// Nexthop objects: <linux/nexthop.h>. `ip nexthop`.
import { excerpt } from "../attributes.ts";
import { type Message, message } from "../message.ts";
import { struct, u8, u32 } from "../scalars.ts";
import type { ValueOf } from "../wire.ts";

/** struct nhmsg. */
const header = struct({
  family: u8,
  scope: u8,
  /** RTPROT_* of the process that created it. */
  protocol: u8,
  reserved: u8,
  flags: u32,
});

/** NHA_*: those that this project reads. */
const attributes = excerpt({
  id: [1, u32],
  /** The index of the outgoing link. */
  oif: [5, u32],
});

export type NexthopMessage = ValueOf<typeof header> & ValueOf<typeof attributes>;

/** RTM_NEWNEXTHOP, RTM_DELNEXTHOP, RTM_GETNEXTHOP: since Linux 5.3. */
export const nexthop: Message<NexthopMessage> = message(
  "nexthops",
  { new: 104, delete: 105, get: 106, set: 104 },
  { header, attributes },
);
