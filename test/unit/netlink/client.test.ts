import t from "tap";
import { Netlink, request, type Transport } from "../../../lib/netlink/client.ts";
import { NetlinkError } from "../../../lib/netlink/errors.ts";
import { families, type Message } from "../../../lib/netlink/message.ts";
import { address } from "../../../lib/netlink/route/address.ts";
import { link } from "../../../lib/netlink/route/link.ts";
import { reserve } from "../../../lib/netlink/wire.ts";
import { captures, decode, encode, payloads } from "./captures.ts";

const port = 4242;

/** The values of NLMSG_* and NLM_F_*. */
const types = { noop: 1, error: 2, done: 3, overrun: 4 };
const flags = { multi: 0x2, interrupted: 0x10, capped: 0x100, extended: 0x200 };

interface Answer {
  readonly type: number;
  readonly flags?: number;
  readonly payload?: Uint8Array;
  /** Default: the request's sequence number. */
  readonly sequence?: number;
  readonly port?: number;
}

/**
 * A fake kernel that answers each request with the next list of datagrams of its script.
 *
 * After the last datagram, receiving throws EAGAIN.
 */
class ScriptedKernel implements Transport {
  readonly requests: Buffer[] = [];
  closed = false;
  readonly script: (readonly (readonly Answer[])[])[];
  readonly #datagrams: Uint8Array[] = [];

  constructor(...script: (readonly (readonly Answer[])[])[]) {
    this.script = script;
  }

  send(datagram: Uint8Array): void {
    const request = Buffer.from(datagram);
    this.requests.push(request);
    const answers = this.script.shift() ?? [];
    this.#datagrams.push(...answers.map((list) => Buffer.concat(list.map((answer) => bytesOf(answer, request)))));
  }

  receive(): Uint8Array {
    const datagram = this.#datagrams.shift();
    if (datagram === undefined) throw Object.assign(new Error("recv: no answer (EAGAIN)"), { code: "EAGAIN" });
    return Uint8Array.from(datagram);
  }

  close(): void {
    this.closed = true;
  }
}

function bytesOf({ type, flags = 0, payload = new Uint8Array(), ...rest }: Answer, request: Buffer): Buffer {
  const bytes = Buffer.alloc(16 + ((payload.length + 3) & ~3));
  bytes.writeUInt32LE(16 + payload.length, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt16LE(flags, 6);
  bytes.writeUInt32LE(rest.sequence ?? request.readUInt32LE(8), 8);
  bytes.writeUInt32LE(rest.port ?? port, 12);
  bytes.set(payload, 16);
  return bytes;
}

const word = (value: number): Uint8Array => new Uint8Array(Int32Array.of(value).buffer);

/** Returns an ACK with the header of the request that the ACK answers. */
const ack = (errno = 0): Answer => ({
  type: types.error,
  flags: flags.capped,
  payload: Buffer.concat([word(-errno), new Uint8Array(16)]),
});

const done: Answer = { type: types.done, flags: flags.multi, payload: word(0) };

function linkNamed(name: string, more: Partial<Answer> = {}): Answer {
  return { type: link.types.new, flags: flags.multi, payload: encode(link, { name }), ...more };
}

const names = (links: readonly { readonly name?: string }[]): (string | undefined)[] => links.map(({ name }) => name);

const error = (code: string, errno: number, detail: string, kernel?: string): NetlinkError =>
  new NetlinkError(code, errno, detail, kernel);

t.test("a change is sent as one request with NLM_F_ACK", (t) => {
  const kernel = new ScriptedKernel([[ack()]], [[ack()]], [[ack()]], [[ack()]]);
  const rtnl = new Netlink(kernel);
  rtnl.create(link, { name: "e0" }, "e0");
  rtnl.replace(link, { name: "e0" }, "e0");
  rtnl.set(link, { name: "e0" }, "e0");
  rtnl.delete(link, { name: "e0" }, "e0");
  t.strictSame(
    kernel.requests.map((request) => [request.readUInt16LE(4), request.readUInt16LE(6), request.readUInt32LE(8)]),
    // create: NLM_F_CREATE | NLM_F_EXCL. replace: NLM_F_CREATE | NLM_F_REPLACE.
    // All have NLM_F_ACK | NLM_F_REQUEST.
    [
      [16, 0x605, 1],
      [16, 0x505, 2],
      [16, 0x005, 3],
      [17, 0x005, 4],
    ],
  );
  for (const request of kernel.requests) {
    t.equal(request.readUInt32LE(0), request.length);
    t.strictSame(decode(link, request.subarray(16)).name, "e0");
  }
  t.end();
});

t.test("a batch is sent as one datagram and returns one outcome per change", (t) => {
  const kernel = new ScriptedKernel([
    [
      { ...ack(), sequence: 1 },
      { ...ack(17), sequence: 2 },
    ],
    [{ ...ack(), sequence: 3 }],
  ]);
  const rtnl = new Netlink(kernel);
  const outcomes = rtnl.batch([
    request("create", link, { name: "e0" }, "e0"),
    request("create", link, { name: "a-name-of-14-b" }, "e1"),
    request("delete", link, { name: "e2" }, "e2"),
  ]);
  t.strictSame(outcomes, [undefined, error("EEXIST", 17, "create e1: Already there"), undefined]);
  t.equal(kernel.requests.length, 1);
  const datagram = kernel.requests[0]!;
  const seen: unknown[] = [];
  for (let at = 0; at < datagram.length; at += (datagram.readUInt32LE(at) + 3) & ~3)
    seen.push([at % 4, datagram.readUInt16LE(at + 4), datagram.readUInt16LE(at + 6), datagram.readUInt32LE(at + 8)]);
  t.strictSame(seen, [
    [0, 16, 0x605, 1],
    [0, 16, 0x605, 2],
    [0, 17, 0x005, 3],
  ]);
  t.end();
});

t.test("an empty batch and a change that cannot be written send nothing", (t) => {
  const kernel = new ScriptedKernel();
  t.strictSame(new Netlink(kernel).batch([]), []);
  t.throws(() => request("create", link, { info: { kind: "vlan", data: { id: 70000 } } }, "e0"), {
    code: "EINVAL",
    message: /^create e0: /,
  });
  t.strictSame(kernel.requests, []);
  t.end();
});

t.test("late answers to a batch that timed out are skipped", (t) => {
  const changes = [request("create", link, { name: "e0" }, "e0"), request("create", link, { name: "e1" }, "e1")];
  const late = [1, 2].map((sequence) => ({ ...ack(16), sequence }));
  const kernel = new ScriptedKernel([], [[...late, ack()]]);
  const rtnl = new Netlink(kernel);
  t.throws(() => rtnl.batch(changes), { code: "EAGAIN" });
  rtnl.create(link, { name: "e2" }, "e2");
  t.end();
});

t.test("a refusal names the change, keeps the code and describes it if the kernel does not", (t) => {
  const rtnl = new Netlink(new ScriptedKernel([[ack(17)]], [[ack(22)]], [[ack(3)]], [[ack(4095)]]));
  t.throws(() => rtnl.create(link, {}, "k6t-eth0"), error("EEXIST", 17, "create k6t-eth0: Already there"));
  t.throws(() => rtnl.set(link, {}, "e0"), error("EINVAL", 22, "set e0: Invalid argument"));
  t.throws(() => rtnl.delete(link, {}, "e0"), error("ESRCH", 3, "delete e0: No such entry"));
  t.throws(() => rtnl.delete(link, {}, "e0"), error("errno 4095", 4095, "delete e0: Unknown error"));
  t.equal(error("EEXIST", 17, "create k6t-eth0: Already there").message, "create k6t-eth0: Already there (EEXIST)");
  t.end();
});

/** The errors that kernels return to iproute2's requests; second: Linux 6.18, if different. */
const refusals: Record<string, readonly [told: string, toldBySix18?: string]> = {
  "ip link add e0 type veth peer name e9": ["Already there (EEXIST)"],
  "ip link add a-name-that-is-too-long type veth": ["name: Attribute failed policy validation (ERANGE)"],
  "ip link set dev e0 mtu 10": ["mtu less than device minimum (EINVAL)"],
  "ip link set dev e0 mtu 100000": ["mtu greater than device maximum (EINVAL)"],
  "ip link set dev e1 master e0": ["Not supported (EOPNOTSUPP)"],
  "ip link set dev e0 address 01:00:00:00:00:01": ["No such address (EADDRNOTAVAIL)"],
  "ip address add 10.0.0.2/24 brd + dev e0 label e0:one": [
    "Already there (EEXIST)",
    "ipv4: Address already assigned (EEXIST)",
  ],
  "ip address del 10.0.0.99/24 dev e0": ["No such address (EADDRNOTAVAIL)", "ipv4: Address not found (EADDRNOTAVAIL)"],
  "ip route add 10.99.0.0/16 via 172.31.9.9": ["Nexthop has invalid gateway (ENETUNREACH)"],
  "ip route add default via 10.0.0.1": ["Already there (EEXIST)"],
  "ip route del 10.99.0.0/16": ["No such entry (ESRCH)"],
  "ip neighbor del 10.0.0.78 dev e0": ["No such entry (ENOENT)"],
};

for (const capture of captures) {
  t.test(`refusals of Linux ${capture.kernel} are reported in the kernel's words`, (t) => {
    for (const [command, [told, toldBySix18 = told]] of Object.entries(refusals)) {
      const { request, capped, whole, plain } = capture.refusals[command]!;
      const message = verbatim(Buffer.from(request, "hex"));
      const refused = (answer: string): NetlinkError => {
        const bytes = Buffer.from(answer, "hex");
        const part = { type: bytes.readUInt16LE(4), flags: bytes.readUInt16LE(6), payload: bytes.subarray(16) };
        try {
          new Netlink(new ScriptedKernel([[part]])).create(message, {}, "it");
        } catch (error) {
          return error as NetlinkError;
        }
        throw new Error(`${command}: not refused`);
      };
      const expected = `create it: ${capture.kernel === "6.1" ? told : toldBySix18}`;
      t.equal(refused(capped).message, expected);
      t.equal(refused(whole).message, expected, "with the whole request behind the error");
      t.match(refused(plain), { code: refused(capped).code, kernel: undefined }, "without extended ACK");
    }
    t.end();
  });
}

/**
 * Returns a message that is sent byte for byte.
 *
 * The kernel names an attribute by its offset in the request.
 */
function verbatim(request: Buffer): Message<object> {
  return {
    ...link,
    encode: (to) => {
      to.bytes.set(request.subarray(16), reserve(to, request.length - 16));
    },
  };
}

t.test("an error keeps the kernel's extended ACK text unchanged", (t) => {
  // struct nlattr of type NLMSGERR_ATTR_MSG, 15 bytes long.
  const words = Buffer.concat([word(-22), Buffer.alloc(16), Buffer.from("\x0f\0\x01\0Bad idea.\n\0", "latin1")]);
  const part = { type: types.error, flags: flags.capped | flags.extended, payload: words };
  t.throws(() => new Netlink(new ScriptedKernel([[part]])).set(link, {}, "e0"), {
    message: "set e0: Bad idea (EINVAL)",
    detail: "set e0: Bad idea",
    code: "EINVAL",
    errno: 22,
    kernel: "Bad idea.\n",
  });
  t.end();
});

t.test("a malformed extended ACK does not hide the error code", (t) => {
  const part = {
    type: types.error,
    flags: flags.capped | flags.extended,
    payload: Buffer.concat([word(-1), Buffer.alloc(16), Buffer.from("ffff0100", "hex")]),
  };
  t.throws(
    () => new Netlink(new ScriptedKernel([[part]])).set(link, {}, "e0"),
    error("EPERM", 1, "set e0: Not permitted, CAP_NET_ADMIN may be missing"),
  );
  t.end();
});

t.test("bytes after an error without NLM_F_ACK_TLVS are not read as text", (t) => {
  const words = Buffer.concat([word(-1), Buffer.alloc(16), Buffer.from("\x08\0\x01\0Bad\0", "latin1")]);
  const part = { type: types.error, flags: flags.capped, payload: words };
  t.throws(
    () => new Netlink(new ScriptedKernel([[part]])).set(link, {}, "e0"),
    error("EPERM", 1, "set e0: Not permitted, CAP_NET_ADMIN may be missing"),
  );
  t.end();
});

t.test("a body that cannot be written is refused before anything is sent", (t) => {
  const kernel = new ScriptedKernel();
  t.throws(
    () => new Netlink(kernel).create(link, { name: "e0", info: { kind: "vlan", data: { id: 70000 } } }, "e0"),
    error("EINVAL", 22, "create e0: info: data: id: 70000 is not an integer from 0 to 65535"),
  );
  t.equal(kernel.requests.length, 0);
  t.end();
});

t.test("dump reads all datagrams up to NLMSG_DONE", (t) => {
  const kernel = new ScriptedKernel([[linkNamed("lo"), linkNamed("e0")], [linkNamed("e1")], [done]]);
  t.strictSame(names(new Netlink(kernel).dump(link)), ["lo", "e0", "e1"]);
  // NLM_F_DUMP | NLM_F_REQUEST.
  t.equal(kernel.requests[0]!.readUInt16LE(6), 0x301);
  t.end();
});

t.test("dump returns every message of the captured dumps", (t) => {
  for (const { dumps } of captures) {
    const { datagrams } = dumps.addresses!;
    const received = datagrams.map((datagram) => Uint8Array.from(Buffer.from(datagram, "hex")));
    const rtnl = new Netlink({
      send: () => undefined,
      receive: () => received.shift()!,
      close: () => undefined,
    });
    t.strictSame(
      rtnl.dump(address),
      payloads(datagrams).map((payload) => decode(address, payload)),
    );
  }
  t.end();
});

t.test("dump sends the body of its request", (t) => {
  const kernel = new ScriptedKernel([[done]]);
  new Netlink(kernel).dump(link, { extMask: 8 });
  t.strictSame(decode(link, kernel.requests[0]!.subarray(16)).extMask, 8);
  t.end();
});

t.test("dump repeats an interrupted dump and discards its messages", (t) => {
  for (const script of [
    [[linkNamed("gone", { flags: flags.multi | flags.interrupted }), linkNamed("lo")], [done]],
    [[linkNamed("gone")], [{ ...done, flags: flags.multi | flags.interrupted }]],
  ]) {
    const kernel = new ScriptedKernel(script, script, [[linkNamed("lo")], [done]]);
    t.strictSame(names(new Netlink(kernel).dump(link)), ["lo"]);
    t.strictSame(
      kernel.requests.map((request) => request.readUInt32LE(8)),
      [1, 2, 3],
    );
  }
  t.end();
});

t.test("dump fails after ten interrupted attempts", (t) => {
  const script = [[linkNamed("lo", { flags: flags.multi | flags.interrupted }), done]];
  const kernel = new ScriptedKernel(...Array.from({ length: 20 }, () => script));
  t.throws(
    () => new Netlink(kernel).dump(link),
    error("EINTR", 4, "list links: interrupted by changes 10 times in a row"),
  );
  t.equal(kernel.requests.length, 10);
  t.end();
});

t.test("dump fails if the kernel refuses at the beginning or at the end", (t) => {
  t.throws(
    () => new Netlink(new ScriptedKernel([[ack(95)]])).dump(link),
    error("EOPNOTSUPP", 95, "list links: Not supported"),
  );
  t.throws(
    () => new Netlink(new ScriptedKernel([[linkNamed("lo")], [{ ...done, payload: word(-12) }]])).dump(link),
    error("ENOMEM", 12, "list links: Out of memory"),
  );
  t.end();
});

t.test("dump accepts an NLMSG_DONE without a status", (t) => {
  t.strictSame(new Netlink(new ScriptedKernel([[{ type: types.done }]])).dump(link), []);
  t.end();
});

t.test("dump of one family omits the messages of other families", (t) => {
  const told = [families.ipv4, families.ipv6].map((family) => ({
    type: address.types.new,
    payload: encode(address, { family, prefixLength: 8 }),
  }));
  const dumped = (filter: { family?: number }): unknown =>
    new Netlink(new ScriptedKernel([[...told, done]])).dump(address, filter).map(({ family }) => family);
  t.strictSame(dumped({ family: families.ipv6 }), [families.ipv6]);
  t.strictSame(dumped({}), [families.ipv4, families.ipv6]);
  t.end();
});

t.test("a request ignores answers to earlier requests and to other sockets", (t) => {
  const late = { sequence: 77 };
  const script: Answer[][] = [
    [{ ...ack(17), ...late }, linkNamed("stale", late)],
    [{ ...done, ...late }],
    [linkNamed("lo"), linkNamed("theirs", { port: 7 }), done],
  ];
  const rtnl = new Netlink(new ScriptedKernel(script, [[{ ...ack(), ...late }, ack(16)]]));
  t.strictSame(names(rtnl.dump(link)), ["lo"]);
  t.throws(() => rtnl.set(link, {}, "e0"), error("EBUSY", 16, "set e0: Busy"));
  t.end();
});

t.test("dump ignores NLMSG_NOOP", (t) => {
  const noop = { type: types.noop, sequence: 0 };
  t.strictSame(names(new Netlink(new ScriptedKernel([[noop, linkNamed("lo"), noop], [done]])).dump(link)), ["lo"]);
  t.end();
});

t.test("NLMSG_OVERRUN is reported as ENOBUFS", (t) => {
  t.throws(
    () => new Netlink(new ScriptedKernel([[linkNamed("lo"), { type: types.overrun, sequence: 0 }]])).dump(link),
    error("ENOBUFS", 105, "list links: messages were lost"),
  );
  t.end();
});

t.test("an error that the transport throws is rethrown unchanged", (t) => {
  const rtnl = new Netlink(new ScriptedKernel([], [[linkNamed("lo")]]));
  t.throws(() => rtnl.set(link, {}, "e0"), { message: "recv: no answer (EAGAIN)", code: "EAGAIN" });
  t.throws(() => rtnl.dump(link), { message: "recv: no answer (EAGAIN)", code: "EAGAIN" });
  t.end();
});

t.test("get sends no NLM_F_ACK and returns the answer", (t) => {
  const kernel = new ScriptedKernel([[linkNamed("e0", { flags: 0 })]], [[ack(19)]], [[ack()]]);
  const rtnl = new Netlink(kernel);
  t.equal(rtnl.get(link, { name: "e0" }, "e0").name, "e0");
  t.equal(kernel.requests[0]!.readUInt16LE(6), 0x1);
  t.throws(() => rtnl.get(link, { name: "e1" }, "e1"), error("ENODEV", 19, "get e1: No such link"));
  t.throws(() => rtnl.get(link, { name: "e1" }, "e1"), error("EBADMSG", 74, "get e1: an ACK, expected an answer"));
  t.end();
});

t.test("a malformed answer fails its own request and not the next one", (t) => {
  const odd = linkNamed("", {
    payload: Buffer.concat([encode(link, { name: "e0" }), Buffer.from("0600040000000000", "hex")]),
  });
  const rtnl = new Netlink(new ScriptedKernel([[odd], [linkNamed("e1")], [done]], [[linkNamed("lo"), done]]));
  t.throws(() => rtnl.dump(link), error("EBADMSG", 74, "list links: mtu: 2 bytes, expected 4"));
  t.strictSame(names(rtnl.dump(link)), ["lo"]);
  t.end();
});

t.test("dump refuses a message of an unexpected type", (t) => {
  t.throws(
    () => new Netlink(new ScriptedKernel([[linkNamed("lo", { type: 24 }), done]])).dump(link),
    error("EBADMSG", 74, "list links: a message of type 24, expected 16"),
  );
  t.end();
});

t.test("a message shorter than its header is refused as EBADMSG", (t) => {
  t.throws(
    () => new Netlink(new ScriptedKernel([[{ type: link.types.new, payload: word(0) }, done]])).dump(link),
    error("EBADMSG", 74, "list links: a message of 4 bytes, expected 16 or more"),
  );
  t.throws(
    () => new Netlink(new ScriptedKernel([[{ type: types.error, payload: Buffer.alloc(3) }]])).set(link, {}, "e0"),
    error("EBADMSG", 74, "set e0: an ACK of 3 bytes, expected 4 or more"),
  );
  t.end();
});

t.test("a datagram without a whole message is refused as EBADMSG", (t) => {
  for (const [hex, fact] of [
    ["", "an empty datagram"],
    ["1000000003000000", "a message of 8 bytes, expected 16 to 8"],
    ["0f000000030000000100000000000000", "a message of 15 bytes, expected 16 to 16"],
    ["11000000030000000100000000000000", "a message of 17 bytes, expected 16 to 16"],
    ["ffffffff030000000100000000000000", "a message of 4294967295 bytes, expected 16 to 16"],
    ["00000000030000000100000000000000", "a message of 0 bytes, expected 16 to 16"],
    // A message of type NLMSG_NOOP and one stray byte.
    ["1000000001000000010000000000000000", "a message of 1 bytes, expected 16 to 1"],
  ] as const) {
    const rtnl = new Netlink({
      send: () => undefined,
      receive: () => Uint8Array.from(Buffer.from(hex, "hex")),
      close: () => undefined,
    });
    t.throws(() => rtnl.dump(link), error("EBADMSG", 74, `list links: ${fact}`));
  }
  t.end();
});

t.test("close closes the transport", (t) => {
  const kernel = new ScriptedKernel();
  new Netlink(kernel).close();
  t.ok(kernel.closed);
  t.end();
});

t.test("the numbers of requests are the 65,535 after the base, again and again", async (t) => {
  for (const [base, expected] of [
    [undefined, [1, 2]],
    [0x7fff_0000, [0x7fff_0001, 0x7fff_0002]],
    [0xffff_0000, [0xffff_0001, 0xffff_0002]],
  ] as const) {
    const kernel = new ScriptedKernel([[ack()]], [[ack()]]);
    const netlink = new Netlink(kernel, base);
    for (const name of ["e0", "e1"]) netlink.delete(link, { name }, name);
    t.same(
      kernel.requests.map((request) => request.readUInt32LE(8)),
      expected,
    );
  }
  const kernel = new ScriptedKernel();
  for (let count = 0; count < 0x1_0001; count++) kernel.script.push([[ack()]]);
  const netlink = new Netlink(kernel, 0xffff_0000);
  for (let count = 0; count < 0x1_0001; count++) netlink.delete(link, { name: "e0" }, "e0");
  t.same(
    kernel.requests.slice(-3).map((request) => request.readUInt32LE(8)),
    [0xffff_ffff, 0xffff_0001, 0xffff_0002],
  );
});
