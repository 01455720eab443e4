// STATUS: whether an ADD could succeed. It changes nothing and delays no other verb.

import { chmodSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { blockedDataDir, newDataDir } from "../../../harness/attachment.ts";
import type { Rule } from "../rule.ts";

export const status: readonly Rule[] = [
  {
    name: "S2: STATUS succeeds silently if an ADD could succeed, and leaves nothing behind",
    attaches: true,
    check: async ({ ground, succeeds, attached, isSilent, isAsBefore }) => {
      const before = await ground.state();
      for (let time = 0; time < 2; time++) {
        isSilent(await succeeds("STATUS", { unset: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"] }));
      }
      await isAsBefore(before);
      await attached({}, async () => {
        await succeeds("STATUS", {}, "STATUS while something is attached");
      });
    },
  },
  {
    name: "S2: STATUS fails with code 50 and names the directory if no record can be written; VERSION does not check it",
    of: ({ records }) => records,
    check: async ({ t, subject, refused, succeeds }) => {
      const blocked = await blockedDataDir(t, subject.name);
      const open = await newDataDir(t, subject.name);
      mkdirSync(open, { recursive: true });
      chmodSync(open, 0o777);
      for (const dataDir of [blocked, dirname(blocked), open])
        await refused("STATUS", { netconf: { dataDir } }, { code: 50, says: dataDir, what: dataDir });
      await succeeds("DEL", { netconf: { dataDir: await newDataDir(t, subject.name) } });
      await succeeds("VERSION", { netconf: { dataDir: blocked } });
    },
  },
  {
    name: "S2: STATUS of a configuration that ADD would refuse reports the reason",
    check: async ({ refused }) => {
      await refused("STATUS", { netconf: { zzzzzzzz: 1 } }, { code: 7, says: /"zzzzzzzz"/ });
      await refused("STATUS", { netconf: { capabilities: 1 } }, { code: 7, says: /^capabilities: / });
    },
  },
];
