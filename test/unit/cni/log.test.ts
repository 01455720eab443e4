// Tests the log line of a call: when it is written, its fields and its destinations.

import t from "tap";
import { timestamp } from "../../../lib/cni/log.ts";
import { fc } from "../../harness/fast-check.ts";
import { call, environment, hostError, type Machine, netconf, note } from "./machine.ts";

const time = "time=2026-01-02T03:04:05.678Z";
const failing = () =>
  note({
    add: () => {
      throw new Error('eth0: is "odd"\nand more');
    },
  });
const warning = () =>
  note({
    add: (request) => {
      request.warn("eth0: is slow");
      request.warn("eth1: too");
      return {};
    },
  });

t.test("a success without a warning is logged only at level info", async (t) => {
  for (const logLevel of [undefined, "error", "warn"])
    t.equal(call(environment("ADD"), { ...netconf, logLevel }).machine.stderr, "");
  const args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=vms;K8S_POD_NAME=blue;PASSWORD=secret";
  const { machine } = call(environment("ADD", { CNI_ARGS: args }), { ...netconf, logLevel: "info", mtu: 1400 });
  t.equal(
    machine.stderr,
    `${time} level=info plugin=note verb=ADD network=blue containerID=c0ffee ifname=eth0 netns=/run/netns/blue pod=vms/blue cniVersion=1.1.0 ms=0.0\n`,
  );
});

t.test("a success with a warning is logged at levels warn and info", async (t) => {
  t.equal(call(environment("ADD"), { ...netconf, logLevel: "error" }, { plugin: warning() }).machine.stderr, "");
  for (const logLevel of [undefined, "warn", "info"]) {
    const { machine } = call(environment("ADD"), { ...netconf, logLevel }, { plugin: warning() });
    t.match(machine.stderr, `${time} level=warn plugin=note verb=ADD `);
    t.match(machine.stderr, / ms=0\.0 warning="eth0: is slow; eth1: too"\n$/);
  }
});

t.test("a failure is logged at every level, as one line with the runtime's message", async (t) => {
  for (const logLevel of [undefined, "error", "warn", "info"]) {
    const { machine } = call(environment("ADD"), { ...netconf, logLevel }, { plugin: failing() });
    t.match(machine.stderr, / code=102 msg="eth0: is \\"odd\\"\\nand more"\n$/);
    t.equal(machine.stderr.split("\n").length, 2, "one line");
    t.match(machine.document, { code: 102, msg: 'eth0: is "odd"\\x0aand more' });
  }
});

t.test("a failure before the configuration is read is logged with its cut values", async (t) => {
  const decoded = call(environment("ADD"), "{").machine;
  t.match(decoded.stderr, /level=error plugin=note verb=ADD containerID=c0ffee .* code=6 msg="netconf: /);
  const unknown = call({ CNI_COMMAND: "a b\u0000".repeat(2000) }, netconf).machine;
  t.match(unknown.stderr, /level=error plugin=note verb="a b\\u0000a b.*…" cniVersion=1\.1\.0 ms=0\.0 code=4 /);
  t.ok(unknown.stderr.length < 10_000, "values are cut");
});

t.test("a log line is written to logFile and to standard error", async (t) => {
  for (const plugin of [failing(), warning()]) {
    const { machine } = call(
      environment("ADD"),
      { ...netconf, logFile: "/var/log/kubevirt-cni-bindings/note.log" },
      { plugin },
    );
    t.same([...machine.written], [["/var/log/kubevirt-cni-bindings/note.log", machine.stderr]]);
    t.not(machine.stderr, "");
  }
  t.same(
    [...call(environment("ADD"), { ...netconf, logFile: "/var/log/kubevirt-cni-bindings/note.log" }).machine.written],
    [],
  );
});

t.test("a call succeeds and prints a notice if its logFile cannot be written", async (t) => {
  const file = "/var/log/kubevirt-cni-bindings/note.log";
  const prepare = (machine: Machine): void => {
    machine.refused.set(file, hostError("EROFS", "open", file));
  };
  const { machine, status } = call(
    environment("ADD"),
    { ...netconf, logLevel: "info", logFile: file },
    { prepare, plugin: note() },
  );
  t.equal(status, 0);
  t.match(machine.stderr, /level=info .*\nnote: logFile: open \S+note\.log: failed \(EROFS\)\n$/);
});

t.test("ADD refuses an invalid logLevel or logFile, and DEL ignores them", async (t) => {
  const faulty = { ...netconf, logLevel: "debug", logFile: "log" };
  t.match(call(environment("ADD"), faulty).machine.document, {
    code: 7,
    msg: /logLevel: must be "error" or "warn" or "info".*; logFile: must be a file in \/var\/log\/kubevirt-cni-bindings/,
  });
  const { machine, status } = call(environment("DEL"), faulty);
  t.match(
    { status, stderr: machine.stderr, written: machine.written.size },
    {
      status: 0,
      stderr: /warning="logFile: must be a file in .*, not \\"log\\"; nothing is written to it"/,
      written: 0,
    },
  );
});

t.test("timestamp returns the time in the format of RFC 3339", async (t) => {
  fc.assert(
    fc.property(fc.integer({ min: -62_000_000_000_000, max: 253_402_300_799_999 }), (milliseconds) => {
      t.equal(timestamp(milliseconds), new Date(milliseconds).toISOString());
    }),
    { numRuns: 2000 },
  );
  t.equal(timestamp(Date.UTC(2028, 1, 29, 23, 59, 59, 999)), "2028-02-29T23:59:59.999Z");
});

t.test("a call writes no log file in a directory that other users can replace or write", async (t) => {
  const logFile = "/var/log/kubevirt-cni-bindings/note.log";
  for (const [directory, fault] of [
    [{ kind: "directory", mode: 0o755, uid: 7 }, /belongs to user 7, not to root/],
    [{ kind: "directory", mode: 0o775 }, /mode 775 lets other users write/],
    [{ kind: "file" }, /ENOTDIR/],
  ] as const) {
    const prepare = (machine: Machine): void => {
      machine.files.set("/var/log/kubevirt-cni-bindings", directory);
    };
    const { machine, status } = call(environment("ADD"), { ...netconf, logFile }, { prepare, plugin: warning() });
    t.same([status, machine.written.size], [0, 0]);
    t.match(machine.stderr, fault);
  }
});

t.test("ADD refuses a logFile that is not directly in the log directory", async (t) => {
  const root = "/var/log/kubevirt-cni-bindings";
  for (const logFile of [
    "/etc/ld.so.preload",
    root,
    `${root}/`,
    `${root}/../x`,
    `${root}/a/b`,
    `${root}/.x`,
    `${root}/a b`,
    `${root}x/y`,
  ])
    t.match(
      call(environment("ADD"), { ...netconf, logFile }).machine.document,
      { code: 7, msg: /logFile: must be a file in/ },
      logFile,
    );
});
