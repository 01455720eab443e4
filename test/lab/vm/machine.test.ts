// Tests the lab's machine: its kernel, its NICs, and how it runs commands and keeps evidence.
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import t from "tap";
import { type MachineError, startMachine } from "./machine.ts";

t.test("a machine runs commands with its own kernel and NICs", async (t) => {
  const said: string[] = [];
  const comment = (message: string): void => {
    said.push(message);
    t.comment(message);
  };
  const machine = await startMachine({ teardown: (end) => t.teardown(end), comment }, { name: "itself" });

  t.test("the kernel creates dummies, VLANs, bridges that filter VLANs, and taps, and loads nftables", async (t) => {
    const { stdout } = await machine.run(`set -e
      ip link add dummy0 type dummy
      ip link add bridge0 type bridge vlan_filtering 1
      ip link set dummy0 master bridge0
      bridge vlan add dev dummy0 vid 7
      ip link add link bridge0 name bridge0.7 type vlan id 7
      ip tuntap add tap0 mode tap multi_queue user 107
      modprobe -a nf_tables nft_chain_nat
      ip -j -d link show
      bridge -j vlan show dev dummy0`);
    const [links, vlans] = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const shown = Object.fromEntries(
      links.map((link: { ifname: string; linkinfo?: object }) => [link.ifname, link.linkinfo]),
    );
    t.match(shown, {
      dummy0: { info_kind: "dummy", info_slave_kind: "bridge" },
      bridge0: { info_kind: "bridge", info_data: { vlan_filtering: 1 } },
      "bridge0.7": { info_kind: "vlan", info_data: { id: 7 } },
      tap0: { info_kind: "tun", info_data: { user: 107, multi_queue: true } },
    });
    t.match(vlans, [{ ifname: "dummy0", vlans: [{ vlan: 1 }, { vlan: 7 }] }]);
  });

  t.test("both physical functions create VFs with their own IOMMU groups", async (t) => {
    const { stdout } = await machine.run(`
      for pf in eth0 eth1; do echo 2 >/sys/class/net/$pf/device/sriov_numvfs; done
      for vf in /sys/class/net/eth[01]/device/virtfn*; do
        pf=\${vf#/sys/class/net/}
        group=$(readlink $vf/iommu_group)
        echo \${pf%%/*} $(basename $(readlink $vf/driver)) $(ls $vf/net | wc -l) $(ls $vf/iommu_group/devices | wc -l) \${group##*/}
      done
      for pf in eth0 eth1; do echo 0 >/sys/class/net/$pf/device/sriov_numvfs; done`);
    const vfs = stdout
      .trim()
      .split("\n")
      .map((line) => line.split(" "));
    t.same(
      vfs.map(([pf, driver, netdevs, sharers]) => ({ pf, driver, netdevs, sharers })),
      ["eth0", "eth0", "eth1", "eth1"].map((pf) => ({ pf, driver: "igbvf", netdevs: "1", sharers: "1" })),
    );
    t.equal(new Set(vfs.map((vf) => vf[4])).size, 4, "four groups");
  });

  t.test("a VF's frame reaches the other physical function", async (t) => {
    const { stdout } = await machine.run(`set -e
      echo 1 >/sys/class/net/eth0/device/sriov_numvfs
      vf=$(ls /sys/class/net/eth0/device/virtfn0/net)
      ip netns add peer
      ip -batch - <<<"link set eth1 netns peer
        link set eth0 up
        link set $vf up
        address add 10.9.0.1/24 dev $vf"
      ip -n peer -batch - <<<"link set eth1 up
        address add 10.9.0.2/24 dev eth1"
      # Links take a second or two.
      for i in {1..20}; do busybox ping -c 1 -W 1 10.9.0.2 && break; done
      ip -n peer link set eth1 netns 1
      echo 0 >/sys/class/net/eth0/device/sriov_numvfs`);
    t.match(stdout, "64 bytes from 10.9.0.2");
  });

  t.test("one start serves several commands and tests, and reports its duration", async (t) => {
    const boot = "cat /proc/sys/kernel/random/boot_id";
    t.equal((await machine.run(boot)).stdout, (await machine.run(boot)).stdout);
    const { status, stdout } = await machine.attemptTest("test/system/netns/harness/guest.test.ts");
    t.equal(status, 0, stdout);
    t.ok(machine.startTime > 0);
    t.same(said, [`machine itself: start to shell: ${machine.startTime} ms`]);
  });

  t.test(
    "attempt() returns a command's output and exit status, and its files appear on the host at once",
    async (t) => {
      const outcome = await machine.attempt("echo one; echo two >&2; echo three >$LAB_OUT/file; exit 3");
      t.match(outcome, { status: 3, stdout: "one\n", stderr: "two\n" });
      t.equal(readFileSync(`${machine.out}/file`, "utf8"), "three\n");
      t.notOk(existsSync(`${machine.directory}/evidence`), "an attempt may fail, and leaves no evidence");
    },
  );

  t.test("a command's changes to the host's files stay inside the machine", async (t) => {
    const { stdout } = await machine.run("echo x >>package.json && rm -r test && tail -n 1 package.json");
    t.equal(stdout, "x\n");
    t.match(JSON.parse(readFileSync("package.json", "utf8")), { private: true });
    t.ok(existsSync("test"));
  });
});

t.test("a command that fails or does not end leaves evidence", async (t) => {
  const machine = await startMachine({ teardown: (end) => t.teardown(end) }, { name: "evidence" });
  t.teardown(() => rmSync(machine.directory, { recursive: true }));
  const failing = `mkdir -p /run/bridge-binding && echo journal >/run/bridge-binding/attachment
    ip netns add pod && ip -n pod link add dummy7 type dummy
    echo a line for the kernel >/dev/kmsg
    echo why >&2; exit 7`;
  const error: MachineError = await machine.run(failing).then(
    () => t.fail("it succeeds"),
    (thrown) => thrown,
  );
  t.match(error, { outcome: { status: 7 } });
  t.match(error.message, /^mkdir .*: exit status is 7, not 0; evidence: .*\nwhy\n$/);
  const directory = /evidence: (?<path>.*)/.exec(error.message)?.groups?.["path"];
  t.equal(directory, machine.directory);
  const left = (name: string): string => readFileSync(`${directory}/${name}`, "utf8");
  t.match(left("1"), "exit 7", "the script");
  t.match(left("evidence/dmesg"), "a line for the kernel");
  t.match(JSON.parse(left("evidence/links.json")), [{ ifname: "lo" }, { ifname: "eth0" }, { ifname: "eth1" }]);
  t.match(JSON.parse(left("evidence/netns-pod.json")), [{ ifname: "lo" }, { ifname: "dummy7" }]);
  t.equal(left("evidence/run/bridge-binding/attachment"), "journal\n");
  t.match(left("evidence/pci"), /^0000:01:00\.0 \S*\/igb \S*\/\d+$/m);
  t.ok(existsSync(`${directory}/console.log`));

  const endless = "sleep 1234 & sleep 1234";
  await t.rejects(machine.attempt(endless, { timeout: 500 }), { message: /still runs after 500 ms; evidence: / });
  const { stdout } = await machine.run("sleep 0.2; cat /proc/[0-9]*/cmdline | tr '\\0' ' '");
  t.notMatch(stdout, "sleep 1234", "killed with its children");

  machine.run("sleep 60").catch(() => undefined);
  await t.rejects(machine.attempt("busybox reboot -f"), { message: /^the machine: ended by itself; its console .*/ });
  await machine.stop();
  t.ok(existsSync(machine.directory), "it is kept");
});

t.test("a test that fails inside records the machine's state at that moment and prints the directory", async (t) => {
  const machine = await startMachine({ teardown: (end) => t.teardown(end) }, { name: "failing-test" });
  t.teardown(() => rmSync(machine.directory, { recursive: true }));
  const { status, stdout } = await machine.attemptTest("test/lab/vm/inside/fails.ts");
  t.equal(status, 1);
  const directory = /^ {4}# evidence: (?<path>.*)\n {4}not ok 1 - the name$/m.exec(stdout)?.groups?.["path"];
  t.equal(directory, `${machine.directory}/evidence/lab-vm-inside-fails-1`);
  t.match(stdout, /fileName: test\/lab\/vm\/inside\/fails\.ts\n +lineNumber: 20\n/, "the place in its source");

  const names = readdirSync(directory!);
  const left = (name: string): string => readFileSync(`${directory}/${name}`, "utf8");
  t.match(JSON.parse(left(names.find((name) => name.startsWith("netns-"))!)), [{ ifname: "lo" }, { ifname: "dummy7" }]);
  t.match(left("dmesg"), "a line for the kernel");
  t.match(JSON.parse(left("links.json")), [{ ifname: "lo" }, { ifname: "eth0" }, { ifname: "eth1" }]);
  t.match(left("processes"), "fails.mjs");
  const journals = readdirSync(directory!, { recursive: true, encoding: "utf8" });
  t.match(
    journals.filter((name) => name.endsWith("bridge-binding/attachment")),
    [String],
  );
  t.notOk(
    journals.some((name) => name.includes("fails-2")),
    "a test that passes leaves none",
  );

  await machine.stop();
  t.ok(existsSync(`${machine.directory}/console.log`), "all of it is kept");
  const after = JSON.parse(readFileSync(`${machine.directory}/evidence/links.json`, "utf8"));
  t.match(after, [{ ifname: "lo" }, { ifname: "eth0" }, { ifname: "eth1" }], "what it looked like in the end, too");
});
