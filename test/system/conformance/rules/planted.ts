// What somebody put into the journal's directory, or in its place: never followed, never obeyed.
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import type { Rule } from "../rule.ts";

export const planted: readonly Rule[] = [
  {
    name: "ours: a symbolic link in the journal, or in its place, is not followed",
    attaches: true,
    of: ({ records }) => records,
    check: async ({ t, ground, attached, fails, refused }) => {
      const dataDir = ground.netconf["dataDir"] as string;
      const { containerId, ifname } = ground.call;
      const outside = `${ground.directory}/outside`;
      let [record, text] = ["", ""];
      await attached({}, () => {
        record = readdirSync(dataDir).find((name) => name.endsWith(".json"))!;
        text = readFileSync(`${dataDir}/${record}`, "utf8");
      });
      // A record that DEL would obey, were it in the journal.
      writeFileSync(outside, text, { mode: 0o600 });
      for (const name of [record, record.replace(/json$/, "pending")]) {
        symlinkSync(outside, `${dataDir}/${name}`);
        await fails("DEL", {}, `DEL by ${name}`);
        t.equal(readFileSync(outside, "utf8"), text, name);
        rmSync(`${dataDir}/${name}`);
      }
      symlinkSync(outside, `${dataDir}/${containerId}/${ifname}.draft`);
      await attached({}, () => t.equal(readFileSync(outside, "utf8"), text, "a draft is written anew"), "a draft");
      t.equal(readFileSync(outside, "utf8"), text);
      rmSync(outside);

      const [elsewhere, link] = [`${ground.directory}/elsewhere`, `${ground.directory}/link`];
      mkdirSync(elsewhere, { mode: 0o700 });
      symlinkSync(elsewhere, link);
      await refused("ADD", { netconf: { dataDir: link } }, { code: 102, says: /is a symlink, not a directory/ });
      t.same(readdirSync(elsewhere), []);
      for (const each of [link, elsewhere]) rmSync(each, { recursive: true });
    },
  },
];
