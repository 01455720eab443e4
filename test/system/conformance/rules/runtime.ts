// What runtimes add to a configuration and to the environment: the plugin ignores what it does not
// use, and takes the rest in the documented order.
import type { Netconf } from "../../../harness/attachment.ts";
import type { Rule } from "../rule.ts";
import type { Changes, Trial } from "../trial.ts";

const extras: Readonly<Record<string, Netconf>> = {
  "capabilities, which libcni does not strip": {
    capabilities: { mac: true, ips: true, portMappings: true, custom: false },
  },
  "a runtimeConfig of what others are capable of": {
    capabilities: { bandwidth: true, portMappings: true },
    runtimeConfig: {
      bandwidth: { ingressRate: 1 },
      portMappings: [],
      ips: ["10.0.0.1"],
      infinibandGUID: "x",
      custom: 1,
    },
  },
  "keys of cni.dev": { "cni.dev/valid-attachments": [], "cni.dev/attachments": null, "cni.dev/custom": { a: 1 } },
  "disableCheck, dns and an ipam that is empty": { disableCheck: true, dns: { nameservers: ["10.0.0.1"] }, ipam: {} },
  "empty objects": { capabilities: {}, runtimeConfig: {}, args: {}, dns: {} },
  "keys that are null, as Go writes them": {
    capabilities: null,
    runtimeConfig: null,
    args: null,
    dns: null,
    ipam: null,
    disableCheck: null,
  },
  "args of somebody else": {
    args: { labels: [{ key: "a", value: "b" }], cni: { ips: ["10.0.0.1"], custom: { a: 1 } } },
  },
};

const args: Readonly<Record<string, string>> = {
  Kubernetes: "IgnoreUnknown=1;K8S_POD_NAMESPACE=a;K8S_POD_NAME=b;K8S_POD_INFRA_CONTAINER_ID=c;K8S_POD_UID=d",
  "keys that nobody knows, without IgnoreUnknown": "FOO=bar;IP=10.0.0.1,10.0.0.2;GATEWAY=10.0.0.254",
  "a value with = and one that is empty": "A=b=c;B=",
  semicolons: ";;A=1;;B=2;",
  "a key that is given more than once": "A=1;A=2;IgnoreUnknown=1;IgnoreUnknown=0",
  "properties of every object": "__proto__=1;constructor=2;toString=3;hasOwnProperty=4",
  "a megabyte's tenth": `A=${"a".repeat(100_000)}`,
};

/** A call in a chain, whose result holds the guest's MAC address in every version. */
async function guestMac(
  { t, subject, ground, chained, attached }: Trial,
  { netconf, call }: Changes,
): Promise<string | undefined> {
  const base = chained("1.0.0", ground.previousResult("1.0.0"));
  let found: string | undefined;
  await attached({ netconf: { ...base.netconf, ...netconf }, call: { ...base.call, ...call } }, ({ result }) => {
    found = subject.guestMac!(result!);
  });
  t.ok(found);
  return found;
}

const mac = (last: number): string => `02:00:00:00:01:0${last}`;

export const runtime: readonly Rule[] = [
  {
    name: "libcni: the plugin accepts what runtimes and Multus add to a configuration",
    attaches: true,
    check: async ({ attached, ground, isSilent }) => {
      for (const [what, netconf] of Object.entries(extras)) {
        const own =
          netconf["ipam"] !== undefined && ground.netconf["ipam"] !== undefined ? { ipam: ground.netconf["ipam"] } : {};
        const runtimeConfig = {
          ...(ground.netconf["runtimeConfig"] as object),
          ...(netconf["runtimeConfig"] as object),
        };
        const merged = netconf["runtimeConfig"] ? { runtimeConfig } : {};
        await attached({ netconf: { ...netconf, ...own, ...merged } }, (answer) => isSilent(answer, what), what);
      }
    },
  },
  {
    name: "Multus: every plugin accepts deviceID and pciBusID in its configuration",
    attaches: true,
    check: async ({ t, ground, attached }) => {
      const address = ground.netconf["deviceID"] ?? "0000:3b:02.6";
      await attached({ netconf: { deviceID: address, pciBusID: address, runtimeConfig: { deviceID: address } } }, () =>
        t.pass(),
      );
    },
  },
  {
    name: "S2: unknown keys of CNI_ARGS are ignored, also without IgnoreUnknown",
    attaches: true,
    check: async ({ attached, isSilent }) => {
      for (const [what, words] of Object.entries(args))
        await attached({ call: { args: words } }, (answer) => isSilent(answer, what), what);
    },
  },
  {
    name: "S2: CNI_ARGS that is no list of pairs fails with code 4 that quotes it",
    check: async ({ refused, succeeds }) => {
      for (const [words, quoted] of [
        ["IgnoreUnknown", "IgnoreUnknown"],
        ["A=1;B", "B"],
        ["=1", "=1"],
        ["A=1; ;B=2", " "],
      ])
        for (const verb of ["ADD", "CHECK"])
          await refused(
            verb,
            { call: { args: words! }, netconf: { prevResult: {} } },
            { code: 4, says: `CNI_ARGS: invalid pair "${quoted}"`, what: `${verb} ${words}` },
          );
      await succeeds("DEL", { call: { args: "IgnoreUnknown" } });
    },
  },
  {
    name: "Multus: if a key appears twice in CNI_ARGS, the last one counts",
    attaches: true,
    of: ({ guestMac }) => guestMac !== undefined,
    check: async (trial) => {
      const netconf = { mac: undefined };
      trial.t.equal(
        await guestMac(trial, { netconf, call: { args: `MAC=${mac(1)};IgnoreUnknown=1;MAC=${mac(2)}` } }),
        mac(2),
      );
    },
  },
  {
    name: "libcni: the MAC address is the first of runtimeConfig, args.cni, CNI_ARGS and the configuration",
    attaches: true,
    of: ({ guestMac }) => guestMac !== undefined,
    check: async (trial) => {
      const { t, ground } = trial;
      const places: readonly Changes[] = [
        { netconf: { mac: mac(1) } },
        { call: { args: `MAC=${mac(2)}` } },
        { netconf: { args: { cni: { mac: mac(3) } } } },
        {
          netconf: {
            capabilities: { mac: true },
            runtimeConfig: { ...(ground.netconf["runtimeConfig"] as object), mac: mac(4) },
          },
        },
      ];
      let all: Changes = {};
      for (const [position, { netconf, call }] of places.entries()) {
        all = { netconf: { ...all.netconf, ...netconf }, call: { ...all.call, ...call } };
        t.equal(await guestMac(trial, all), mac(position + 1));
      }
    },
  },
  {
    name: "ours: a MAC address that no link can have is refused, from any source",
    of: ({ guestMac }) => guestMac !== undefined,
    attaches: true,
    check: async ({ refused }) => {
      for (const bad of [
        "none",
        "01:00:5e:00:00:01",
        "00:00:00:00:00:00",
        "02:00:00:00:00",
        "02:00:00:00:00:01:02",
        "",
      ]) {
        if (bad !== "")
          await refused(
            "ADD",
            { call: { args: `MAC=${bad}` } },
            { code: 4, says: /CNI_ARGS: MAC/, what: `MAC=${bad}` },
          );
        await refused("ADD", { netconf: { mac: bad } }, { code: 7, says: /^mac: /, what: bad });
      }
    },
  },
];
