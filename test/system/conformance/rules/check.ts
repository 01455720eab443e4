// CHECK: accepts the state that ADD created, and additions of other programs; no other state.
import { ip } from "../../../harness/ip.ts";
import type { Call } from "../../../harness/plugin.ts";
import type { Rule } from "../rule.ts";

const prevResult = { cniVersion: "1.1.0" };

export const check: readonly Rule[] = [
  {
    name: "S2: CHECK without prevResult fails with code 7 and names it",
    check: async ({ refused }) => {
      for (const value of [undefined, null])
        for (const cniVersion of ["0.4.0", "1.0.0", "1.1.0"])
          await refused(
            "CHECK",
            { netconf: { cniVersion, prevResult: value } },
            { code: 7, says: /^prevResult: is missing/ },
          );
    },
  },
  {
    name: "S2: CHECK after ADD succeeds silently and changes nothing, in every version that has CHECK",
    attaches: true,
    check: async ({ ground, attached, succeeds, isSilent, chained, steady, isAsBefore }) => {
      for (const cniVersion of ["0.4.0", "1.0.0", "1.1.0"])
        for (const changes of [{ netconf: { cniVersion } }, chained(cniVersion, ground.previousResult(cniVersion))])
          await attached(changes, async ({ result }) => {
            const between = await steady();
            const answer = await succeeds(
              "CHECK",
              { ...changes, netconf: { ...changes.netconf, prevResult: result } },
              cniVersion,
            );
            isSilent(answer);
            await isAsBefore(between);
          });
    },
  },
  {
    name: "S2: CHECK tolerates additions by later plugins and other programs, in the result and in the pod",
    attaches: true,
    check: async ({ ground, attached, succeeds, chained }) => {
      const changes = chained("1.0.0", ground.previousResult("1.0.0"));
      await attached(changes, async ({ result }) => {
        const later = {
          ...result,
          interfaces: [...(result?.interfaces ?? []), { name: "later", mac: "02:00:00:00:00:99" }],
          ips: [...(result?.ips ?? []), { address: "10.99.0.1/24" }],
          dns: { nameservers: ["10.99.0.53"] },
          more: { of: "something" },
        };
        await ip(ground.namespace, "link add later type veth peer name later2", "address add 10.99.0.1/24 dev later");
        await succeeds("CHECK", { ...changes, netconf: { ...changes.netconf, prevResult: later } });
        await ip(ground.namespace, "link del later");
      });
    },
  },
  {
    name: "S2: CHECK fails if a change of ADD was reverted, and changes nothing",
    attaches: true,
    check: async ({ t, subject, ground, attached, run, succeeds, steady, isAsBefore }) => {
      await attached({}, async ({ result }) => {
        const restore = await ground.meddle();
        const between = await steady();
        const { status, error } = await run("CHECK", { netconf: { prevResult: result } });
        t.not(status, 0);
        if (subject.records) t.equal(error?.code, 101, error?.msg ?? "");
        await isAsBefore(between, "CHECK repairs nothing");
        await restore();
        await succeeds("CHECK", { netconf: { prevResult: result } });
      });
    },
  },
  {
    name: "S2: CHECK of an attachment that was never added, or is deleted, fails",
    attaches: true,
    check: async ({ t, subject, fails, succeeds }) => {
      const differs = async (what: string, prevResult: object, call: Call = {}): Promise<void> => {
        const { error } = await fails("CHECK", { netconf: { prevResult }, call }, what);
        if (subject.records) t.equal(error?.code, 101, error?.msg ?? "");
      };
      await differs("never added", prevResult);
      const { result } = await succeeds("ADD");
      await differs("of another interface", result!, { ifname: "net9" });
      await differs("of another container", result!, { containerId: "other" });
      await succeeds("DEL");
      await differs("deleted", result!);
    },
  },
  {
    name: "S2: CHECK in another namespace than that of ADD fails",
    attaches: true,
    of: ({ records, reach }) => records && reach === "pod",
    check: async ({ another, attached, refused }) => {
      const { namespace } = await another();
      await attached({}, async ({ result }) => {
        const changes = { netconf: { prevResult: result }, call: { netns: namespace.path } };
        await refused("CHECK", changes, { code: 101, says: "another namespace" });
      });
    },
  },
];
