import t from "tap";
import { call, environment, hostError, Machine, netconf, note, type Program } from "./machine.ts";

const withIpam = { ...netconf, ipam: { type: "host-local", subnet: "10.0.0.0/24" } };
const lease = {
  cniVersion: "1.1.0",
  ips: [{ address: "10.0.0.7/24", gateway: "10.0.0.1" }],
  routes: [{ dst: "0.0.0.0/0" }],
  dns: {},
};
const path = "/opt/cni/bin/host-local";

/** Creates a plugin with IPAM that returns the IPAM plugin's result from ADD. */
const leasing = () => note({ ipam: true, add: ({ ipam }) => ipam!.add() });

/** Creates an IPAM plugin with an answer for each verb. Default: it succeeds. */
function ipam(answers: Partial<Record<string, Partial<ReturnType<Program>>>> = {}): Program {
  return (verb) => answers[verb] ?? (verb === "ADD" ? { stdout: JSON.stringify(lease) } : {});
}
const failing = (code: number, msg: string, details?: string) => ({
  status: 1,
  stdout: JSON.stringify({ cniVersion: "1.1.0", code, msg, details }),
});

function run(
  verb: string,
  program: Program | undefined,
  more: { plugin?: ReturnType<typeof note>; stdin?: unknown; mode?: number } = {},
) {
  return call(environment(verb), more.stdin ?? { ...withIpam, prevResult: lease }, {
    plugin: more.plugin ?? leasing(),
    prepare: (machine) => program && machine.install(path, program, more.mode),
  });
}

t.test("ADD runs the IPAM plugin on CNI_PATH and prints its result", async (t) => {
  const { machine, status } = run("ADD", ipam());
  t.equal(status, 0);
  t.same(machine.document, lease);
  t.same(machine.runs, ["host-local ADD"]);
});

t.test("a delegate gets the whole environment and the configuration's exact text", async (t) => {
  const text = `  {"name":"blue", "cniVersion" : "1.1.0",\\n"ipam":{"type":"host-local","x":1e0}}\\n`.replaceAll(
    "\\n",
    "\n",
  );
  for (const verb of ["ADD", "DEL", "STATUS", "GC"]) {
    let given: Parameters<Program>[1] | undefined;
    const env = { ...environment(verb), CNI_ARGS: "A=B", HOME: "/root", LANG: "C" };
    const { status } = call(env, text, {
      plugin: leasing(),
      prepare: (machine) =>
        machine.install(path, (_, options) => {
          given = options;
          return ipam()(verb, options);
        }),
    });
    t.equal(status, 0);
    t.same(given!.env, env);
    t.equal(given!.stdin, text);
  }
});

t.test("ADD runs the first regular file of the delegate's name on CNI_PATH", async (t) => {
  const machines = call(environment("ADD"), withIpam, {
    plugin: leasing(),
    prepare: (machine) => {
      machine.files.set(path, { kind: "directory" });
      machine.install("/usr/lib/cni/host-local", ipam());
    },
  });
  t.equal(machines.status, 0);
  const first = call(environment("ADD", { CNI_PATH: ":/usr/lib/cni::/opt/cni/bin" }), withIpam, {
    plugin: leasing(),
    prepare: (machine) =>
      machine.install("/usr/lib/cni/host-local", ipam()).install(path, ipam({ ADD: failing(9, "the wrong one") })),
  });
  t.equal(first.status, 0);
});

t.test("ADD converts a delegate's result to the configuration's version", async (t) => {
  const old = { cniVersion: "0.2.0", ip4: { ip: "10.0.0.7/24", gateway: "10.0.0.1", routes: [{ dst: "0.0.0.0/0" }] } };
  const { machine } = run("ADD", ipam({ ADD: { stdout: JSON.stringify(old) } }), {
    stdin: { ...withIpam, cniVersion: "0.4.0" },
  });
  t.same(machine.document, {
    cniVersion: "0.4.0",
    ips: [{ version: "4", address: "10.0.0.7/24", gateway: "10.0.0.1" }],
    routes: [{ dst: "0.0.0.0/0" }],
  });
});

t.test("DEL, CHECK, GC and STATUS call the IPAM plugin after the plugin's own verb", async (t) => {
  for (const verb of ["DEL", "CHECK", "GC", "STATUS"]) {
    const { machine, status, verbs } = run(verb, ipam(), {
      stdin: { ...withIpam, prevResult: lease, "cni.dev/valid-attachments": [] },
    });
    t.equal(status, 0);
    t.equal(machine.stdout, "");
    t.same(verbs, [verb.toLowerCase()]);
    t.same(machine.runs, [`host-local ${verb}`]);
  }
});

t.test("GC without a list of valid attachments removes nothing and calls the IPAM plugin", async (t) => {
  const { machine, verbs } = run("GC", ipam());
  t.same(verbs, []);
  t.same(machine.runs, ["host-local GC"]);
});

t.test("a verb that fails still calls the IPAM plugin and reports both failures", async (t) => {
  for (const verb of ["del", "check", "gc", "status"] as const) {
    const plugin = note({
      ipam: true,
      [verb]: () => {
        throw new Error("tap0: is missing");
      },
    });
    const { machine, status } = run(
      verb.toUpperCase(),
      ipam({ [verb.toUpperCase()]: failing(42, "no lease", "really") }),
      {
        plugin,
        stdin: { ...withIpam, prevResult: lease, "cni.dev/valid-attachments": [] },
      },
    );
    t.equal(status, 1);
    t.match(machine.document, { msg: "tap0: is missing", details: "also: no lease (really)" });
  }
});

t.test("every verb reports a delegate's error with its code, message and details", async (t) => {
  for (const verb of ["ADD", "DEL", "CHECK", "GC", "STATUS"]) {
    const { machine } = run(verb, ipam({ [verb]: failing(11, "try later", "pool is full") }));
    t.same(machine.document, { cniVersion: "1.1.0", code: 11, msg: "try later", details: "pool is full" });
  }
});

t.test("ADD calls the delegate's DEL after the delegate's ADD failed", async (t) => {
  const { machine, status, verbs } = run("ADD", ipam({ ADD: failing(7, "bad range") }));
  t.equal(status, 1);
  t.match(machine.document, { code: 7, msg: "bad range" });
  t.same(machine.runs, ["host-local ADD", "host-local DEL"]);
  t.same(verbs, ["add"]);
});

t.test("ADD reports both failures if the delegate's ADD and DEL fail", async (t) => {
  const { machine } = run("ADD", ipam({ ADD: failing(7, "bad range"), DEL: failing(5, "disk is full") }));
  t.match(machine.document, { code: 7, msg: "bad range", details: "also: disk is full" });
});

t.test("ADD releases the assigned address when it fails afterwards", async (t) => {
  const plugin = note({
    ipam: true,
    add: ({ ipam }) => {
      ipam!.add();
      throw new Error("eth0: cannot be created");
    },
  });
  const { machine } = run("ADD", ipam(), { plugin });
  t.same(machine.runs, ["host-local ADD", "host-local DEL"]);
  t.match(machine.document, { msg: "eth0: cannot be created" });
});

t.test("ADD releases no address when it fails before one was assigned", async (t) => {
  const plugin = note({
    ipam: true,
    add: () => {
      throw new Error("container is attached already");
    },
  });
  t.same(run("ADD", ipam(), { plugin }).machine.runs, []);
});

t.test("ADD releases the address when it cannot print its result", async (t) => {
  const { machine, verbs } = call(environment("ADD"), withIpam, {
    plugin: leasing(),
    prepare: (machine) => {
      machine.install(path, ipam());
      machine.stdoutFails = hostError("EPIPE", "write");
    },
  });
  t.same(verbs, ["add", "del"]);
  t.same(machine.runs, ["host-local ADD", "host-local DEL"]);
});

t.test("ADD fails and calls the delegate's DEL if the delegate prints no valid result", async (t) => {
  for (const [stdout, details] of [
    ["", /it printed nothing/],
    ["hello", /it printed "hello"/],
    ["[]", /is a list, not an object/],
    ['{"ips":[{"address":5}]}', /ips\[0\]\.address: must be text/],
    ['{"cniVersion":"7.0.0"}', /incompatible CNI versions/],
    [`"${"x".repeat(10_000)}"`, /^.{200,600}$/],
  ] as const) {
    const { machine } = run("ADD", ipam({ ADD: { stdout } }));
    t.match(machine.document, {
      code: 103,
      msg: "the plugin host-local succeeded, but gave no result that can be read",
    });
    t.match(machine.document!.details, details);
    t.same(machine.runs, ["host-local ADD", "host-local DEL"]);
  }
});

t.test("STATUS reports the output of a delegate that fails without a CNI error", async (t) => {
  for (const stdout of ["", "panic: nil map", '{"code":-1,"msg":"x"}', '{"code":"7","msg":"x"}', '{"code":7}'])
    t.match(run("STATUS", ipam({ STATUS: { status: 2, stdout } })).machine.document, {
      code: 103,
      msg: `${path}: STATUS ended with status 2 and printed no CNI error`,
      details: stdout === "" ? "it printed nothing" : `it printed ${JSON.stringify(stdout)}`,
    });
  t.match(run("STATUS", ipam({ STATUS: { status: 137, signal: 9 } })).machine.document, {
    code: 103,
    msg: `${path}: STATUS was ended by signal 9`,
  });
});

t.test("ADD lists the directories of CNI_PATH if the delegate is in none of them", async (t) => {
  const { machine } = run("ADD", undefined);
  t.same(machine.document, {
    cniVersion: "1.1.0",
    code: 103,
    msg: "the plugin host-local is in none of the directories of CNI_PATH",
    details: "/opt/cni/bin, /usr/lib/cni",
  });
});

t.test("ADD with an IPAM plugin refuses an empty CNI_PATH", async (t) => {
  const { machine } = call(environment("ADD", { CNI_PATH: "" }), withIpam, { plugin: leasing() });
  t.match(machine.document, { code: 4, msg: "required env variables [CNI_PATH] missing" });
});

t.test("a delegate that cannot be run fails the call with the reason", async (t) => {
  t.match(run("ADD", ipam(), { mode: 0o644 }).machine.document, {
    code: 103,
    msg: `${path}: is not executable (mode 644)`,
  });
  for (const [errno, code, msg] of [
    ["ETIMEDOUT", 11, /STATUS took longer than 180 s and was ended/],
    ["ENOENT", 103, /its interpreter, or the loader that it was linked for, is missing/],
    ["ENOEXEC", 103, /not an executable of this machine/],
    ["EACCES", 103, /permission denied/],
    ["EFBIG", 103, /printed more than 1 MiB/],
    ["EILSEQ", 103, /not UTF-8/],
    ["EMFILE", 103, /could not be run \(EMFILE\)/],
  ] as const) {
    const throwing: Program = () => {
      throw hostError(errno, "execve", path);
    };
    t.match(run("STATUS", throwing).machine.document, { code, msg });
    const ran = ["ETIMEDOUT", "EFBIG", "EILSEQ"].includes(errno);
    t.same(run("ADD", throwing).machine.runs, ran ? ["host-local ADD", "host-local DEL"] : ["host-local ADD"], errno);
  }
});

t.test("ADD calls the delegate's DEL after the delegate's ADD timed out", async (t) => {
  const program: Program = (verb) => {
    if (verb === "ADD") throw hostError("ETIMEDOUT", "execve", path);
    return {};
  };
  const { machine } = run("ADD", program);
  t.match(machine.document, { code: 11 });
  t.same(machine.runs, ["host-local ADD", "host-local DEL"]);
});

t.test("a call retries a delegate that is being replaced (ETXTBSY), up to five times", async (t) => {
  let busy = 3;
  const program: Program = (verb, options) => {
    if (busy-- > 0) throw hostError("ETXTBSY", "execve", path);
    return ipam()(verb, options);
  };
  const { machine, status } = run("ADD", program);
  t.equal(status, 0);
  t.equal(machine.slept, 3000);
  const forever: Program = () => {
    throw hostError("ETXTBSY", "execve", path);
  };
  const given = run("STATUS", forever);
  t.match(given.machine.document, { code: 103, msg: /ETXTBSY/ });
  t.equal(given.machine.runs.length, 6);
});

t.test(
  "ADD, CHECK and STATUS refuse an IPAM plugin's name that leaves CNI_PATH, and DEL and GC ignore it",
  async (t) => {
    for (const type of ["../host-local", "/bin/sh", "a/b", "..", ".", "a\0b", 5, {}]) {
      const stdin = { ...netconf, ipam: { type }, prevResult: lease, "cni.dev/valid-attachments": [] };
      for (const verb of ["ADD", "CHECK", "STATUS"]) {
        const { machine, verbs } = run(verb, ipam(), { stdin });
        t.match(machine.document, { code: 7, msg: /^ipam\.type: must be the name of a plugin in CNI_PATH/ });
        t.same(verbs, []);
        t.same(machine.runs, []);
      }
      for (const verb of ["DEL", "GC"]) {
        const { machine, status, verbs } = run(verb, ipam(), { stdin });
        t.equal(status, 0);
        t.same(verbs, [verb.toLowerCase()]);
        t.same(machine.runs, []);
        t.match(machine.stderr, /level=warn .* warning="ipam\.type/);
      }
    }
  },
);

t.test("ADD treats an empty ipam as absent", async (t) => {
  for (const ipam of [{}, { type: "" }, null]) {
    const { plugin, status } = run("ADD", undefined, { stdin: { ...netconf, ipam }, plugin: note({ ipam: true }) });
    t.equal(status, 0);
    t.notOk("ipam" in (plugin.calls[0]![1] as object));
  }
});

t.test("ADD of a plugin without IPAM refuses ipam.type, and DEL accepts it", async (t) => {
  const { machine, verbs } = run("ADD", ipam(), { plugin: note() });
  t.match(machine.document, {
    code: 2,
    msg: "ipam.type: host-local is not used: note assigns no addresses",
  });
  t.same(verbs, []);
  t.equal(run("DEL", ipam(), { plugin: note() }).status, 0);
});

t.test("the fake machine refuses to run a missing program, as the host does", async (t) => {
  t.throws(() => new Machine({}, "").run("/nowhere", { env: { CNI_COMMAND: "ADD" }, stdin: "", timeout: 1 }));
});
