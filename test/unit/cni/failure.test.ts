import t from "tap";
import { CniError, code } from "../../../lib/cni/errors.ts";
import { type Explanation, errorDocument, explainFailure } from "../../../lib/cni/failure.ts";
import { FactError } from "../../../lib/fact.ts";
import { asOne, failuresOf, withUndoFailures } from "../../../lib/failures.ts";
import { hostError } from "./machine.ts";

const netlinkError = (errno: string, message: string) =>
  Object.assign(new Error(message), { name: "NetlinkError", code: errno });

/** Returns what a runtime reads, and checks that the faults are the message's parts. */
function told(failure: unknown): Omit<Explanation, "faults"> {
  const { faults, ...rest } = explainFailure(failure);
  t.equal(faults.join("; "), rest.msg);
  return rest;
}

t.test("a CniError keeps its faults as a list", async (t) => {
  const failure = new CniError(code.badConfiguration, ["mtu: is 5; too small", "vlan: is 0"], "a hint");
  t.same(explainFailure(failure).faults, ["mtu: is 5; too small", "vlan: is 0"]);
  t.same(told(failure), { code: 7, msg: "mtu: is 5; too small; vlan: is 0", details: "a hint" });
});

t.test("a CniError is reported unchanged", async (t) => {
  t.same(told(new CniError(code.differs, "tap0: owner is 0, not 107", "a hint")), {
    code: 101,
    msg: "tap0: owner is 0, not 107",
    details: "a hint",
  });
});

t.test("a failed system call gets code 5, and a change that the kernel refuses gets code 100", async (t) => {
  t.same(told(hostError("ENOSPC", "write", "/run/x")), {
    code: 5,
    msg: "write /run/x: failed (ENOSPC)",
    details: "",
  });
  t.same(told(hostError("EBUSY", "ioctl", "tap0")), { code: 100, msg: "ioctl tap0: failed (EBUSY)", details: "" });
  t.same(told(netlinkError("EEXIST", "create k6t-eth0: Name already taken (EEXIST)")), {
    code: 100,
    msg: "create k6t-eth0: Name already taken (EEXIST)",
    details: "",
  });
});

t.test("what passes by itself asks the runtime to try again", async (t) => {
  t.equal(explainFailure(hostError("ETIMEDOUT", "flock", "/run/lock")).code, 11);
  t.equal(explainFailure(hostError("EAGAIN", "recvmsg")).code, 11);
  t.equal(explainFailure(netlinkError("EINTR", "list links: interrupted")).code, 11);
});

t.test("a plain Error gets code 102 and keeps its message", async (t) => {
  t.same(told(new Error("eth0: is already a port of br0")), {
    code: 102,
    msg: "eth0: is already a port of br0",
    details: "",
  });
});

t.test("an error with a fact is reported unchanged", async (t) => {
  t.same(told(new FactError("/run/x.json", "has format 2, not 1")), {
    code: 102,
    msg: "/run/x.json: has format 2, not 1",
    details: "",
  });
});

t.test("a fault of the program is reported with its class and place", async (t) => {
  const { code, msg, details } = explainFailure(new TypeError("x is undefined"));
  t.equal(code, 199);
  t.equal(msg, "TypeError: x is undefined");
  t.match(details, /^at .*failure\.test/);
});

t.test("a failure reports each of its causes once and takes its code from them", async (t) => {
  const cause = hostError("ENOSPC", "write", "/run/x");
  t.same(told(new Error("the journal cannot be written", { cause })), {
    code: 5,
    msg: "the journal cannot be written",
    details: "write /run/x: failed (ENOSPC)",
  });
  t.same(told(new Error(`journal: ${cause.message}`, { cause })).details, "");
  t.same(told(new Error("a", { cause: new Error("b", { cause: new CniError(11, "c", "d") }) })), {
    code: 11,
    msg: "a",
    details: "b; c; d",
  });
});

t.test("an AggregateError reports all its errors and has the code of the first one", async (t) => {
  const failures = [hostError("EBUSY", "ioctl", "tap0"), new Error("eth0: is gone", { cause: new Error("why") })];
  t.same(told(new AggregateError(failures, "the plan failed, and so did undoing it")), {
    code: 100,
    msg: "the plan failed, and so did undoing it",
    details: "ioctl tap0: failed (EBUSY); eth0: is gone (why)",
  });
  t.same(told(asOne([failures[0], failures[1]])), {
    code: 100,
    msg: "ioctl tap0: failed (EBUSY)",
    details: "also: eth0: is gone (why)",
  });
  t.equal(asOne([failures[0]]), failures[0]);
  t.same(told(withUndoFailures(failures[0], [failures[1]])), {
    code: 100,
    msg: "ioctl tap0: failed (EBUSY)",
    details: "undoing it failed too: eth0: is gone (why)",
  });
  t.equal(withUndoFailures(failures[0], []), failures[0]);
  t.equal(typeof explainFailure(new AggregateError([], "none")).code, "number");
});

t.test("a thrown value that is not an Error gets code 199", async (t) => {
  t.same(told(null), { code: 199, msg: "out of memory", details: "" });
  for (const thrown of ["text", 5, undefined, {}, Symbol("s")])
    t.match(explainFailure(thrown), { code: 199, msg: /was thrown$/ });
});

t.test("an error document has the specification's keys and omits empty details", async (t) => {
  t.same(JSON.parse(errorDocument(new CniError(7, "a", "b"), "0.4.0", "ADD")), {
    cniVersion: "0.4.0",
    code: 7,
    msg: "a",
    details: "b",
  });
  t.same(JSON.parse(errorDocument(new CniError(7, "a"), "0.4.0", undefined)), {
    cniVersion: "0.4.0",
    code: 7,
    msg: "a",
  });
  const silent = Object.assign(new Error("x"), { message: "" });
  t.same(JSON.parse(errorDocument(silent, "1.1.0", "ADD")), {
    cniVersion: "1.1.0",
    code: 102,
    msg: "failed without a message",
  });
});

t.test("only DEL rewords the phrases that containerd treats as success", async (t) => {
  const failure = new CniError(5, "link not found", "open /run/x: no such file or directory; not found, not found");
  t.match(errorDocument(failure, "1.1.0", "ADD"), /link not found/);
  t.notMatch(errorDocument(failure, "1.1.0", "DEL"), /not found|no such file or directory/);
  t.same(JSON.parse(errorDocument(failure, "1.1.0", "DEL")), {
    cniVersion: "1.1.0",
    code: 5,
    msg: "link missing",
    details: "open /run/x: the file or directory is missing; missing, missing",
  });
});

t.test("failuresOf runs every task and returns all failures", async (t) => {
  const done: number[] = [];
  const failures = failuresOf([
    () => done.push(1),
    () => {
      throw new Error("a");
    },
    () => done.push(3),
    () => {
      throw new TypeError("b");
    },
  ]);
  t.same(done, [1, 3]);
  t.match(failures, [{ message: "a" }, { message: "b" }]);
});
