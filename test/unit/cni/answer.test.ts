import t from "tap";
import { fc } from "../../harness/fast-check.ts";
import { call, demanding, environment, hostError, type Machine, netconf, note } from "./machine.ts";

const chained = {
  ...netconf,
  prevResult: { cniVersion: "1.1.0", interfaces: [{ name: "eth0", sandbox: "/run/netns/blue" }] },
};

t.test("an unset or empty CNI_COMMAND prints the versions on standard error and exits 0", async (t) => {
  for (const env of [{}, { CNI_COMMAND: "" }]) {
    const { machine, status } = call(env, "");
    t.equal(status, 0);
    t.equal(machine.stdout, "");
    t.match(
      machine.stderr,
      /^note: takes note of its calls\n.*0\.1\.0, 0\.2\.0, 0\.3\.0, 0\.3\.1, 0\.4\.0, 1\.0\.0, 1\.1\.0\n$/,
    );
    t.notOk(machine.stdinRead);
  }
});

t.test("VERSION prints the versions and neither reads standard input nor the rest of the environment", async (t) => {
  const schema = { parse: () => t.fail("parsed"), salvage: () => t.fail("salvaged") } as never;
  const { machine, status, verbs } = call({ CNI_COMMAND: "VERSION", CNI_CONTAINERID: "../" }, "garbage", {
    plugin: note({ schema }),
  });
  t.equal(status, 0);
  t.same(machine.document, {
    cniVersion: "1.1.0",
    supportedVersions: ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"],
  });
  t.notOk(machine.stdinRead);
  t.same(verbs, []);
});

t.test("an unknown CNI_COMMAND, such as one in lower case, is refused by name", async (t) => {
  for (const command of ["FOO", "add", "constructor", "__proto__", "Version"]) {
    const { machine, status } = call(environment(command), netconf);
    t.equal(status, 1);
    t.same(machine.document, { cniVersion: "1.1.0", code: 4, msg: `unknown CNI_COMMAND: ${command}` });
  }
});

t.test("a call without required variables is refused with a list of them all", async (t) => {
  const cases = {
    ADD: "CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME",
    CHECK: "CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME",
    DEL: "CNI_CONTAINERID,CNI_IFNAME",
    GC: "CNI_PATH",
  };
  for (const [command, missing] of Object.entries(cases)) {
    const { machine, verbs } = call({ CNI_COMMAND: command, CNI_IFNAME: "" }, netconf);
    t.match(machine.document, { code: 4, msg: `required env variables [${missing}] missing` });
    t.same(verbs, []);
  }
});

t.test("a verb ignores invalid variables that it does not need", async (t) => {
  const bad = { CNI_CONTAINERID: "../x", CNI_IFNAME: "a/b", CNI_NETNS: "/nowhere" };
  t.equal(call({ ...bad, CNI_COMMAND: "STATUS" }, netconf).status, 0);
  t.equal(call({ ...bad, CNI_COMMAND: "GC", CNI_PATH: "/opt/cni/bin" }, netconf).status, 0);
  t.equal(
    call({ CNI_COMMAND: "DEL", CNI_CONTAINERID: "c", CNI_IFNAME: "eth0" }, netconf).status,
    0,
    "DEL without CNI_NETNS and CNI_PATH",
  );
});

t.test("a malformed container ID or interface name is refused before anything is read", async (t) => {
  for (const [variable, value, msg] of [
    ["CNI_CONTAINERID", "-a", "invalid characters in containerID"],
    ["CNI_CONTAINERID", "a\n", "invalid characters in containerID"],
    ["CNI_CONTAINERID", "a/b", "invalid characters in containerID"],
    ["CNI_IFNAME", "0123456789abcdef", "interface name is too long"],
    ["CNI_IFNAME", "..", "interface name is . or .."],
    ["CNI_IFNAME", "a:b", "interface name contains / or : or whitespace characters"],
  ] as const) {
    for (const verb of ["ADD", "DEL", "CHECK"]) {
      const { machine } = call(environment(verb, { [variable]: value }), netconf);
      t.match(machine.document, { code: 4, msg });
      t.match(machine.document!.details, JSON.stringify(value));
      t.notOk(machine.stdinRead);
    }
  }
});

t.test("standard input that is not a JSON object is a decoding error with its position", async (t) => {
  for (const [stdin, msg] of [
    ["", /^netconf: standard input is empty$/],
    [" \n", /^netconf: standard input is empty$/],
    ['{"name": }', /^netconf: is not JSON: line 1, column 10: unexpected "}", expected a value$/],
    ["[]", /^netconf: is a list, not an object$/],
    ["null", /^netconf: is null, not an object$/],
    ['{"name":"a"}\n{}', /^netconf: is not JSON: line 2, column 1: unexpected "\{", expected nothing more$/],
    [" ".repeat(1024 * 1024 + 1), /^netconf: is longer than 1 MiB$/],
    [hostError("EILSEQ", "read"), /^netconf: is not UTF-8$/],
  ] as const) {
    const { machine, status } = call(environment("ADD"), stdin);
    t.equal(status, 1);
    t.equal(machine.document!.code, 6);
    t.match(machine.document!.msg, msg);
  }
});

t.test("standard input that cannot be read is an I/O error", async (t) => {
  const { machine } = call(environment("ADD"), hostError("EIO", "read"));
  t.match(machine.document, { code: 5, msg: "netconf: standard input cannot be read", details: "read: failed (EIO)" });
});

t.test("every verb refuses a missing or invalid network name", async (t) => {
  for (const verb of ["ADD", "DEL", "CHECK", "GC", "STATUS"]) {
    for (const name of [undefined, null, ""])
      t.match(call(environment(verb), { ...netconf, name }).machine.document, { code: 7, msg: "missing network name" });
    for (const name of ["a b", "/a", "a\n", 5, ["a"]])
      t.match(call(environment(verb), { ...netconf, name }).machine.document, {
        code: 7,
        msg: "invalid characters found in network name",
      });
  }
  t.match(call(environment("ADD"), {}).machine.document, { cniVersion: "0.1.0", code: 7, msg: "missing network name" });
});

t.test("ADD refuses an unsupported cniVersion and lists the supported ones", async (t) => {
  for (const cniVersion of ["9.9.9", "1.0", "1.0.1", "v1.0.0", " 1.0.0", 1, ["1.0.0"]]) {
    const { machine } = call(environment("ADD"), { ...netconf, cniVersion });
    t.same(machine.document, {
      cniVersion: "1.1.0",
      code: 1,
      msg: "incompatible CNI versions",
      details: `config is ${JSON.stringify(cniVersion)}, plugin supports ["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]`,
    });
  }
});

t.test("ADD without a cniVersion prints a result of version 0.1.0", async (t) => {
  for (const cniVersion of [undefined, null, ""])
    t.same(call(environment("ADD"), { name: "blue", cniVersion }).machine.document, { cniVersion: "0.1.0" });
});

t.test("ADD prints a result of its configuration's version", async (t) => {
  for (const cniVersion of ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
    t.same(call(environment("ADD"), { ...netconf, cniVersion }).machine.document, { cniVersion });
});

t.test("a verb that the configuration's version does not define is refused", async (t) => {
  for (const [verb, cniVersion, allowed] of [
    ["CHECK", "0.3.1", false],
    ["CHECK", "0.4.0", true],
    ["GC", "1.0.0", false],
    ["GC", "1.1.0", true],
    ["STATUS", "1.0.0", false],
    ["STATUS", "1.1.0", true],
    ["DEL", "0.1.0", true],
  ] as const) {
    const { machine, status, verbs } = call(environment(verb), {
      ...chained,
      cniVersion,
      "cni.dev/valid-attachments": [],
    });
    t.equal(status, allowed ? 0 : 1, `${verb} ${cniVersion}`);
    if (allowed) t.same(verbs, [verb.toLowerCase()]);
    else t.match(machine.document, { cniVersion, code: 1, msg: `config version does not allow ${verb}` });
  }
});

t.test("DEL, CHECK, GC and STATUS print nothing on success", async (t) => {
  for (const verb of ["DEL", "CHECK", "GC", "STATUS"]) {
    const { machine, status } = call(environment(verb), chained);
    t.equal(status, 0);
    t.equal(machine.stdout, "");
  }
});

t.test("ADD, CHECK and STATUS report all faults of a configuration before they open the namespace", async (t) => {
  for (const verb of ["ADD", "CHECK", "STATUS"]) {
    const { machine, verbs } = call(environment(verb), { ...chained, mtu: 42, vln: 5 });
    t.match(machine.document, {
      code: 7,
      msg: 'mtu: must be at least 68 bytes, not 42; netconf: unknown field "vln", did you mean "vlan"?',
    });
    t.same(verbs, []);
    t.equal(machine.open, 0);
  }
});

t.test("every verb accepts the fields that runtimes and Multus add to a configuration", async (t) => {
  const more = {
    capabilities: { mac: true },
    runtimeConfig: { mac: "02:00:00:00:00:01", bandwidth: {} },
    args: { cni: { logicNetworkName: "blue" }, other: 1 },
    disableCheck: true,
    dns: {},
    ipam: {},
    deviceID: "0000:3b:02.6",
    pciBusID: "0000:3b:02.6",
    "cni.dev/attachments": [],
    "cni.dev/anything": 5,
  };
  for (const verb of ["ADD", "DEL", "CHECK", "GC", "STATUS"])
    t.equal(call(environment(verb), { ...chained, ...more }).status, 0, verb);
});

// ---- the namespace

t.test("ADD and CHECK refuse a path that is not a network namespace and name the file's kind", async (t) => {
  for (const [path, msg] of [
    ["/run/netns/gone", "CNI_NETNS: /run/netns/gone is missing, expected a network namespace"],
    [
      "/etc/hostname",
      "CNI_NETNS: /etc/hostname is a regular file, or another kind of namespace, expected a network namespace",
    ],
    ["/run", "CNI_NETNS: /run is a directory, expected a network namespace"],
  ] as const) {
    for (const verb of ["ADD", "CHECK"]) {
      const { machine, verbs } = call(environment(verb, { CNI_NETNS: path }), chained);
      t.match(machine.document, { code: 8, msg });
      t.same(verbs, []);
    }
  }
});

t.test("ADD and CHECK refuse the plugin's own namespace unless CNI_NETNS_OVERRIDE is true", async (t) => {
  for (const verb of ["ADD", "CHECK"]) {
    const own = environment(verb, { CNI_NETNS: "/proc/7/ns/net" });
    const { machine, verbs } = call(own, chained);
    t.match(machine.document, {
      code: 8,
      msg: /^CNI_NETNS: \/proc\/7\/ns\/net is the node's own network namespace/,
    });
    t.same(verbs, []);
    for (const override of ["1", "true", "TRUE"])
      t.equal(call({ ...own, CNI_NETNS_OVERRIDE: override }, chained).status, 0);
    for (const override of ["0", "yes", ""]) t.equal(call({ ...own, CNI_NETNS_OVERRIDE: override }, chained).status, 1);
  }
});

t.test("ADD accepts a namespace that shares only the inode number with the plugin's own", async (t) => {
  const prepare = (machine: Machine): void => {
    machine.files.set("/run/netns/blue", { ...machine.files.get("/proc/7/ns/net")!, device: 5 });
  };
  t.equal(call(environment("ADD"), netconf, { prepare }).status, 0);
});

t.test("ADD passes the plugin the open namespace with its device and inode", async (t) => {
  t.match(call(environment("ADD"), netconf).plugin.calls[0], [
    "add",
    { containerId: "c0ffee", ifname: "eth0", netns: { path: "/run/netns/blue", fd: 10, device: 4, inode: 4026532001 } },
  ]);
});

t.test("DEL succeeds without a namespace when its path is empty, missing or another file", async (t) => {
  for (const path of ["", "/run/netns/gone", "/etc/hostname", "/run", "/proc/7/ns/net"]) {
    const { machine, status, plugin } = call(environment("DEL", { CNI_NETNS: path }), netconf);
    t.equal(status, 0, path);
    t.equal(machine.stdout, "");
    t.notOk("netns" in (plugin.calls[0]![1] as object), path);
    t.equal(machine.open, 0);
  }
  t.match(call(environment("DEL"), netconf).plugin.calls[0]![1], { netns: { path: "/run/netns/blue" } });
});

t.test("DEL fails if the namespace cannot be opened for lack of descriptors", async (t) => {
  const prepare = (machine: Machine): void => {
    machine.refused.set("/run/netns/blue", hostError("EMFILE", "open", "/run/netns/blue"));
  };
  const { machine, verbs } = call(environment("DEL"), netconf, { prepare });
  t.match(machine.document, {
    code: 8,
    msg: "CNI_NETNS: /run/netns/blue cannot be opened (EMFILE), expected a network namespace",
  });
  t.same(verbs, []);
});

t.test("DEL fails if /proc is missing: the namespace may still exist", async (t) => {
  const prepare = (machine: Machine): void => {
    machine.files.delete("/proc/thread-self/ns/net");
  };
  const { machine, status, verbs } = call(environment("DEL"), netconf, { prepare });
  t.equal(status, 1);
  t.match(machine.document, { code: 5, msg: /\/proc\/thread-self/ });
  t.same(verbs, []);
});

// ---- ADD

t.test("ADD passes all CNI_ARGS to the plugin, including unknown keys", async (t) => {
  const { plugin } = call(
    environment("ADD", { CNI_ARGS: "IgnoreUnknown=1;K8S_POD_NAME=p;MAC=02:00:00:00:00:01" }),
    netconf,
  );
  t.match(plugin.calls[0]![1], { args: { IgnoreUnknown: "1", K8S_POD_NAME: "p", MAC: "02:00:00:00:00:01" } });
});

t.test("ADD and CHECK refuse malformed CNI_ARGS, and DEL ignores them", async (t) => {
  const bad = { CNI_ARGS: "K8S_POD_NAME" };
  for (const verb of ["ADD", "CHECK"])
    t.match(call(environment(verb, bad), chained).machine.document, {
      code: 4,
      msg: 'CNI_ARGS: invalid pair "K8S_POD_NAME", expected KEY=VALUE',
    });
  t.equal(call(environment("DEL", bad), chained).status, 0);
});

t.test("ADD prints an unchanged prevResult exactly as it was, in every version", async (t) => {
  const json = fc.jsonValue({ maxDepth: 2 });
  const extras = (known: readonly string[]) =>
    fc.dictionary(
      fc.string().filter((key) => !known.includes(key) && key !== "__proto__"),
      json,
      { maxKeys: 3 },
    );
  const cidr = fc.constantFrom("10.0.0.1/24", "fd00::1/64");
  const entry = (key: string) => fc.tuple(cidr, extras([key])).map(([text, more]) => ({ [key]: text, ...more }));
  const listed = fc
    .tuple(
      fc.array(entry("name")),
      fc.array(entry("address")),
      fc.array(entry("dst")),
      extras(["cniVersion", "interfaces", "ips", "routes", "dns"]),
    )
    .map(([interfaces, ips, routes, more]) => ({ interfaces, ips, routes, ...more }));
  const families = fc
    .tuple(entry("ip"), extras(["cniVersion", "ip4", "ip6", "dns"]))
    .map(([ip4, more]) => ({ ip4, ...more }));
  const cases = fc.oneof(
    fc.tuple(fc.constantFrom("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"), listed),
    fc.tuple(fc.constantFrom("0.1.0", "0.2.0"), families),
  );
  fc.assert(
    fc.property(cases, ([cniVersion, prevResult]) => {
      // JSON text cannot hold every value: -0, for example, becomes 0.
      const came = JSON.parse(JSON.stringify({ cniVersion, ...prevResult }));
      const plugin = note({ add: ({ prevResult }) => prevResult! });
      const { machine } = call(environment("ADD"), { ...netconf, cniVersion, prevResult: came }, { plugin });
      t.same(machine.document, came);
    }),
  );
});

t.test("ADD keeps prevResult's entries whole and converts only new entries to the version", async (t) => {
  const prevResult = {
    cniVersion: "1.0.0",
    interfaces: [{ name: "eth0", sandbox: "/run/netns/blue", mtu: 1400, vendor: { a: 1 } }],
    ips: [{ address: "10.0.0.7/24", interface: 0, version: "4" }],
    vendor: [1],
  };
  const plugin = note({
    add: (call) => ({
      ...call.prevResult,
      interfaces: [...call.prevResult!.interfaces!, { name: "tap0", mtu: 1500, pciID: "0000:00:01.0" }],
    }),
  });
  const { machine } = call(environment("ADD"), { ...netconf, cniVersion: "1.0.0", prevResult }, { plugin });
  t.same(machine.document, { ...prevResult, interfaces: [...prevResult.interfaces, { name: "tap0" }] });
});

t.test("ADD converts a prevResult of another version to the configuration's version", async (t) => {
  const prevResult = { cniVersion: "0.4.0", ips: [{ version: "4", address: "10.0.0.7/24" }] };
  const plugin = note({ add: ({ prevResult }) => prevResult! });
  const { machine } = call(environment("ADD"), { ...netconf, prevResult }, { plugin });
  t.same(machine.document, { cniVersion: "1.1.0", ips: [{ address: "10.0.0.7/24" }] });
});

t.test("ADD and CHECK refuse an invalid prevResult with all its faults", async (t) => {
  const prevResult = { interfaces: {}, ips: [{ address: 5 }, 7], routes: "x", dns: [] };
  for (const verb of ["ADD", "CHECK"]) {
    t.match(call(environment(verb), { ...netconf, prevResult }).machine.document, {
      code: 7,
      msg: "prevResult.interfaces: must be a list; prevResult.ips[0].address: must be text; prevResult.ips[1]: must be an object; prevResult.routes: must be a list; prevResult.dns: must be an object",
    });
    t.match(call(environment(verb), { ...netconf, prevResult: [] }).machine.document, { code: 7 });
  }
});

t.test("an ADD that fails prints only the error and does not call the plugin's DEL", async (t) => {
  const plugin = note({
    add: () => {
      throw Object.assign(new Error("create k6t-eth0: Name already taken (EEXIST)"), { code: "EEXIST" });
    },
  });
  const { machine, status, verbs } = call(environment("ADD"), netconf, { plugin });
  t.equal(status, 1);
  t.same(machine.document, { cniVersion: "1.1.0", code: 100, msg: "create k6t-eth0: Name already taken (EEXIST)" });
  t.same(verbs, ["add"]);
});

t.test("an ADD that cannot print its result calls DEL and exits 1", async (t) => {
  const prepare = (machine: Machine): void => {
    machine.stdoutFails = hostError("EPIPE", "write");
  };
  const { machine, status, verbs } = call(environment("ADD"), netconf, { prepare });
  t.equal(status, 1);
  t.equal(machine.stdout, "");
  t.match(machine.stderr, /EPIPE/);
  t.same(verbs, ["add", "del"]);
  t.ok(machine.signalsIgnored);
});

t.test("an ADD that returns an invalid result calls DEL and reports the fault", async (t) => {
  const plugin = note({
    add: () => ({ interfaces: [{ name: "eth0" }], ips: [{ address: "10.0.0.7/24", interface: 1 }] }),
  });
  const { machine, status, verbs } = call(environment("ADD"), netconf, { plugin });
  t.equal(status, 1);
  t.match(machine.document, { code: 199, msg: /10\.0\.0\.7\/24 is on interface 1 of 1/ });
  t.same(verbs, ["add", "del"]);
});

t.test("ADD refuses a prevResult that puts an address on a missing interface, and changes nothing", async (t) => {
  const prevResult = { cniVersion: "1.0.0", ips: [{ address: "10.0.0.7/24", interface: 0 }] };
  const { machine, status, verbs } = call(environment("ADD"), { ...netconf, prevResult });
  t.equal(status, 1);
  t.match(machine.document, { code: 7, msg: "prevResult.ips: 10.0.0.7/24 is on interface 0 of 0" });
  t.same(verbs, []);
});

t.test("an ADD that cannot be undone reports both failures", async (t) => {
  const plugin = note({
    add: () => ({ ips: [{ address: "10.0.0.7/24", interface: 0 }] }),
    del: () => {
      throw new Error("tap0: is busy");
    },
  });
  const { machine } = call(environment("ADD"), netconf, { plugin });
  t.match(machine.document, { code: 199, details: /also: tap0: is busy/ });
});

t.test("an ADD that returns a result too deep to print calls DEL", async (t) => {
  const deep = `{"cniVersion":"1.1.0","x":${"[".repeat(200_000)}${"]".repeat(200_000)}}`;
  const plugin = note({ add: ({ prevResult }) => prevResult! });
  const { machine, status, verbs } = call(
    environment("ADD"),
    `{"cniVersion":"1.1.0","name":"blue","prevResult":${deep}}`,
    { plugin },
  );
  t.equal(status, 1);
  t.equal(typeof machine.document!.code, "number");
  t.same(verbs, ["add", "del"]);
});

// ---- DEL

t.test("DEL succeeds with an invalid or incomplete configuration and passes on its valid fields", async (t) => {
  const { plugin, status } = call(environment("DEL"), {
    ...netconf,
    mtu: 1,
    vln: 5,
    loud: true,
    dataDir: "/run/note/other",
    dns: [],
    prevResult: [],
  });
  t.equal(status, 0);
  const { conf, prevResult } = plugin.calls[0]![1] as { conf: object; prevResult?: object };
  t.same(conf, { loud: true, dataDir: "/run/note/other" });
  t.equal(prevResult, undefined);

  const stripped = note({ schema: demanding as never });
  t.equal(call(environment("DEL"), netconf, { plugin: stripped }).status, 0);
  t.same((stripped.calls[0]![1] as { conf: object }).conf, { dataDir: "/run/note" });
});

t.test("DEL ignores signals before it begins", async (t) => {
  let ignored: boolean | undefined;
  const { machine } = call(environment("DEL"), netconf, {
    plugin: note({
      del: () => {
        ignored = current!.signalsIgnored;
      },
    }),
    prepare: (machine) => {
      current = machine;
    },
  });
  t.equal(ignored, true);
  t.ok(machine.signalsIgnored);
  t.notOk(call(environment("CHECK"), chained).machine.signalsIgnored);
});
let current: Machine | undefined;

t.test("DEL reports a failure without the phrases that containerd treats as success", async (t) => {
  const plugin = note({
    del: () => {
      throw new AggregateError(
        [new Error("tap0: device not found"), new Error("open /x: no such file or directory")],
        "bridge not found",
      );
    },
  });
  const { machine, status } = call(environment("DEL"), netconf, { plugin });
  t.equal(status, 1);
  t.same(machine.document, {
    cniVersion: "1.1.0",
    code: 102,
    msg: "bridge missing",
    details: "tap0: device missing; open /x: the file or directory is missing",
  });
});

// ---- CHECK, GC, STATUS

t.test("CHECK refuses a configuration without prevResult", async (t) => {
  for (const prevResult of [undefined, null])
    t.match(call(environment("CHECK"), { ...netconf, prevResult }).machine.document, {
      code: 7,
      msg: /^prevResult: is missing/,
    });
});

t.test("GC passes on the valid attachments under either of the two field names", async (t) => {
  const list = [{ containerID: "a", ifname: "eth0", more: 1 }];
  for (const key of ["cni.dev/valid-attachments", "cni.dev/attachments"]) {
    const { plugin, status } = call(environment("GC"), { ...netconf, [key]: list });
    t.equal(status, 0);
    t.same((plugin.calls[0]![1] as { valid: object }).valid, [{ containerID: "a", ifname: "eth0" }]);
  }
  const both = call(environment("GC"), { ...netconf, "cni.dev/valid-attachments": [], "cni.dev/attachments": list });
  t.same((both.plugin.calls[0]![1] as { valid: object }).valid, []);
});

t.test("GC without a list of valid attachments removes nothing", async (t) => {
  for (const more of [
    {},
    { "cni.dev/valid-attachments": null },
    { "cni.dev/valid-attachments": null, "cni.dev/attachments": [] },
  ]) {
    const { status, verbs } = call(environment("GC"), { ...netconf, ...more });
    t.equal(status, 0);
    t.same(verbs, []);
  }
});

t.test("GC refuses a malformed list of valid attachments and removes nothing", async (t) => {
  for (const list of [{}, "a", [5], [{ containerID: "a" }], [null]]) {
    const { machine, verbs } = call(environment("GC"), { ...netconf, "cni.dev/valid-attachments": list });
    t.match(machine.document, { code: 7, msg: /^cni\.dev\/valid-attachments/ });
    t.same(verbs, []);
  }
});

t.test("GC succeeds with an invalid configuration and uses its valid fields", async (t) => {
  const { plugin, status } = call(environment("GC"), { ...netconf, mtu: 1, "cni.dev/valid-attachments": [] });
  t.equal(status, 0);
  t.same((plugin.calls[0]![1] as { conf: object }).conf, { loud: false, dataDir: "/run/note" });
});

// ---- hostile input

t.test("a hostile configuration makes no verb crash or print more than one document", async (t) => {
  const nested = (open: string, close: string): string =>
    `{"name":"a","x":${open.repeat(100_000)}1${close.repeat(100_000)}}`;
  const texts = [
    nested("[", "]"),
    nested('{"a":', "}"),
    '{"name":"a","name":"b","cniVersion":"1.1.0"}',
    '{"name":"a","__proto__":{"mtu":1},"constructor":1,"toString":2}',
    '{"name":"a","mtu":{"__proto__":null}}',
    '{"name":"a","dataDir":"/a\\u0000b"}',
    '{"name":"\\ud800"}',
    '{"name":"a","\\udc00":"\\ud800"}',
    '{"name":"a","prevResult":{"\\ud800":"\\udc00"}}',
  ];
  for (const text of texts) {
    for (const verb of ["ADD", "DEL", "CHECK", "GC", "STATUS"]) {
      const { machine, status } = call(environment(verb), text);
      if (status !== 0 || verb === "ADD")
        t.ok(typeof machine.document!.cniVersion === "string", `${verb} ${text.slice(0, 40)}`);
      else t.equal(machine.stdout, "");
    }
  }
  fc.assert(
    fc.property(fc.json({ maxDepth: 3 }), fc.constantFrom("ADD", "DEL", "CHECK", "GC", "STATUS"), (text, verb) => {
      const { machine, status } = call(environment(verb), text);
      t.ok(status === 0 || typeof machine.document!.code === "number");
    }),
  );
});
