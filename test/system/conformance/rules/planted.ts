// Foreign files in the journal's directory, or in its place: the plugin never follows or uses them.
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Rule } from "../rule.ts";
import { filesBelow } from "../subject.ts";

export const planted: readonly Rule[] = [
  {
    name: "ours: the plugin does not follow a symbolic link in the journal, or in its place",
    attaches: true,
    of: ({ records }) => records,
    check: async ({ t, ground, attached, fails, refused }) => {
      const dataDir = ground.netconf["dataDir"] as string;
      const { containerId, ifname } = ground.call;
      const outside = `${ground.directory}/outside`;
      let [record, text] = ["", ""];
      await attached({}, () => {
        record = filesBelow(dataDir).find((path) => path.endsWith(".json"))!;
        text = readFileSync(record, "utf8");
      });
      // A record that DEL would use if it were in the journal.
      writeFileSync(outside, text, { mode: 0o600 });
      for (const path of [record, record.replace(/json$/, "pending")]) {
        mkdirSync(dirname(path), { mode: 0o700 });
        symlinkSync(outside, path);
        await fails("DEL", {}, `DEL by ${path}`);
        t.equal(readFileSync(outside, "utf8"), text, path);
        rmSync(dirname(path), { recursive: true });
      }
      mkdirSync(dirname(record), { mode: 0o700 });
      symlinkSync(outside, `${dataDir}/${containerId}/${ifname}.draft`);
      await attached({}, () => t.equal(readFileSync(outside, "utf8"), text, "a draft is written anew"), "a draft");
      t.equal(readFileSync(outside, "utf8"), text);
      rmSync(outside);

      const [elsewhere, link] = [`${ground.directory}/elsewhere`, `${ground.directory}/link`];
      mkdirSync(elsewhere, { mode: 0o700 });
      symlinkSync(elsewhere, link);
      await refused("ADD", { netconf: { dataDir: link } }, { code: 5, says: /link.*ELOOP/ });
      t.same(readdirSync(elsewhere), []);
      for (const each of [link, elsewhere]) rmSync(each, { recursive: true });
    },
  },
];
