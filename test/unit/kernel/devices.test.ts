// Changes of files on a node in memory. vfs.test.ts and drivers.test.ts test the other changes.
import t from "tap";
import { factText } from "../../../lib/fact.ts";
import { begin, revert } from "./igb.ts";

t.test("undo deletes a file only if its content is unchanged", async (t) => {
  const { node, devices } = begin();
  const change = { do: "file", path: "/run/info.json", to: "ours" } as const;
  devices.perform(change);
  t.strictSame(devices.differences(change).map(factText), []);
  revert(devices, change);
  t.notOk(node.pci.files.has("/run/info.json"));
  t.strictSame(devices.differences(change).map(factText), ["/run/info.json: is not as ADD wrote it"]);
  revert(devices, change);
  devices.perform({ ...change, from: "before" });
  revert(devices, { ...change, from: "before" });
  t.equal(node.readFile("/run/info.json"), "before");
  node.pci.files.file("/run/info.json", "somebody else's");
  revert(devices, change);
  t.equal(node.readFile("/run/info.json"), "somebody else's");
});
