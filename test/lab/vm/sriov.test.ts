// Runs the tests of test/lab/sriov, each folder in a machine of its variant: with SR-IOV, an IOMMU
// and VFIO, or without one of these.
import { existsSync, readdirSync } from "node:fs";
import t from "tap";
import { firstRelease } from "../../harness/releases.ts";
import { type Hardware, variants } from "./hardware.ts";
import { checkout } from "./qemu.ts";
import { runInside } from "./suite.ts";

const machines: Readonly<Record<string, Hardware>> = { whole: {}, ...variants };
const directory = `${checkout}/test/lab/sriov`;

t.test("each folder has a machine", async (t) => {
  const entries = readdirSync(directory, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  t.same(folders.sort(), Object.keys(machines).sort());
});

for (const [name, hardware] of Object.entries(machines))
  t.test(`the tests in test/lab/sriov/${name} pass`, async (t) => {
    const folder = `${directory}/${name}`;
    const files = readdirSync(folder)
      .filter((file) => file.endsWith(".test.ts"))
      // Multus is built only if Go is installed.
      .filter((file) => file !== "multus.test.ts" || existsSync(`${checkout}/.cache/peers/multus`))
      // 0.1.0 is built only by `scripts/test --all`.
      .filter((file) => file !== "upgrade.test.ts" || existsSync(firstRelease));
    await runInside(
      t,
      files.map((file) => `${folder}/${file}`),
      { name: `sriov-${name}`, machines: files.length > 2 ? 2 : 1, ...hardware },
    );
  });
