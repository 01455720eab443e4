import t from "tap";
import type { Result } from "../../../lib/cni/results.ts";
import type { Change } from "../../../lib/plan/change.ts";
import { report } from "../../../plugins/bridge-binding/report.ts";
import { dummy, eth0 } from "../plan/pods.ts";

const names = { podLink: "eth0", bridge: "k6t-eth0", nic: "eth0-nic", tap: "tap0" };
const sandbox = "/run/netns/pod";
const changes: Change[] = [
  { do: "create", link: dummy({ name: "k6t-eth0", mac: "02:00:00:00:00:01" }) },
  { do: "set", index: 2, from: eth0, to: { ...eth0, name: "eth0-nic", mac: "02:00:00:00:00:01" } },
  { do: "create", link: dummy({ name: "tap0", mac: "02:00:00:00:00:02" }) },
  { do: "create", link: dummy({ name: "eth0", mac: "0a:58:0a:f4:00:07" }) },
  { do: "sysctl", key: "net.ipv4.conf.all.arp_ignore", from: "0", to: "1" },
];

t.test("a binding reports neither interfaces nor addresses, not even empty lists", async (t) => {
  t.strictSame(report(changes, { names, sandbox }), {});
});

t.test("in a chain prevResult stays whole, each address keeps its interface, and the new links follow", async (t) => {
  const prevResult = {
    interfaces: [
      { name: "cni0", mac: "11" },
      { name: "veth1" },
      { name: "eth0", mac: "0a:58:0a:f4:00:07", sandbox, custom: true },
    ],
    ips: [{ address: "10.244.0.7/24", interface: 2 }],
    dns: { nameservers: ["10.96.0.10"] },
    other: 7,
  } as Result;
  const result = report(changes, { names, sandbox, prevResult });
  t.strictSame(
    result.interfaces?.map(({ name }) => name),
    ["cni0", "veth1", "eth0", "k6t-eth0", "eth0-nic", "tap0"],
  );
  t.match(result, { ips: prevResult.ips, dns: prevResult.dns, other: 7 });
  t.strictSame(result.interfaces?.[2], { ...prevResult.interfaces?.[2], mtu: 1450 });
  t.strictSame(result.interfaces?.[5], { name: "tap0", mac: "02:00:00:00:00:02", mtu: 1450, sandbox });
});

t.test("a pod link that prevResult lacks is reported too", async (t) => {
  const result = report(changes, { names, sandbox, prevResult: {} });
  t.strictSame(
    result.interfaces?.map(({ name }) => name),
    ["k6t-eth0", "eth0-nic", "tap0", "eth0"],
  );
});
