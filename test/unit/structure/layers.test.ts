import { fileURLToPath } from "node:url";
import t from "tap";
import { circles, hostImports, importedBy, importsOf, usedBy } from "./imports.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/**
 * From the lowest layer to the highest. A file imports from its own folder or from a lower layer.
 */
const layers: readonly (readonly string[])[] = [
  ["lib/errno.ts", "lib/fact.ts", "lib/failures.ts", "lib/release.ts", "lib/shell.ts"],
  ["lib/net", "lib/trusted-directory.ts"],
  ["lib/netlink", "lib/sysfs"],
  ["lib/cni"],
  ["lib/plan"],
  ["lib/kernel", "lib/kubevirt"],
  ["lib/plugin"],
  ["lib/diagnosis"],
  ["lib/command"],
  ["plugins", "commands", "examples"],
];

/** The folder that makes a unit: of plugins, commands and examples each one, of lib its folders. */
function unitOf(file: string): string {
  const [top, folder = ""] = file.split("/");
  return `${top}/${folder}`;
}

function rankOf(file: string): number {
  return layers.findIndex((units) => units.some((unit) => file === unit || file.startsWith(`${unit}/`)));
}

/** What is wrong with the import; undefined if nothing is. */
function faultOf(from: string, to: string): string | undefined {
  if (unitOf(from) === unitOf(to) && unitOf(from) !== "lib/") return undefined;
  if (rankOf(from) < 0) return `${from}: is in no layer; add its folder to the list in this test`;
  return rankOf(to) < rankOf(from) ? undefined : `${from}: imports ${to}, which is not in a lower layer`;
}

t.test("no file of the executables imports from a higher layer", async (t) => {
  const imports = await importsOf(root, "lib", "plugins", "commands", "examples");

  const faults = [...imports].flatMap(([from, targets]) => targets.flatMap((to) => faultOf(from, to) ?? []));

  t.ok(imports.size > 100);
  t.same(faults, []);
});

t.test("no import circle exists", async (t) => {
  const imports = await importsOf(root, ".");

  t.ok(imports.size > 400);
  t.same(circles(imports), []);
});

t.test("no import circle exists in the host", async (t) => {
  const imports = await hostImports(root);

  t.same(imports.get("host/src/engine.rs"), ["host/src/arena.rs", "host/src/module.rs"]);
  t.same(circles(imports), []);
});

t.test("the paths of a Rust file are resolved, in lists and in the text", async (t) => {
  const files = ["a.rs", "b/mod.rs", "b/c.rs", "b/d.rs", "e.rs"].map((name) => `host/src/${name}`);
  const text = "use crate::{\n    b::{self, c::{X, Y}},\n    e,\n};\nuse super::d::open;\nfn f() { crate::a::g(); }\n";

  t.same(
    usedBy("host/src/b/x.rs", text, files).sort(),
    ["a.rs", "b/c.rs", "b/d.rs", "b/mod.rs", "e.rs"].map((name) => `host/src/${name}`),
  );
});

t.test("a circle is reported once", async (t) => {
  const imports = new Map([
    ["a.ts", ["b.ts"]],
    ["b.ts", ["c.ts"]],
    ["c.ts", ["b.ts", "d.ts"]],
    ["d.ts", []],
  ]);

  t.same(circles(imports), [["b.ts", "c.ts"]]);
});

t.test("imports of values, of types and of side effects are read, packages are not", async (t) => {
  const text =
    'import type { A } from "./a.ts";\nimport "../b.ts";\nimport {\n  c,\n} from "../x/c.ts";\nimport t from "tap";\n';

  t.same(importedBy("lib/plan/d.ts", text), ["lib/plan/a.ts", "lib/b.ts", "lib/x/c.ts"]);
});

t.test("an import from a higher layer, from a neighbour or from another plugin is a fault", async (t) => {
  t.match(faultOf("lib/plan/a.ts", "lib/kernel/b.ts"), /not in a lower layer/);
  t.match(faultOf("lib/netlink/a.ts", "lib/sysfs/b.ts"), /not in a lower layer/);
  t.match(faultOf("plugins/one/a.ts", "plugins/two/b.ts"), /not in a lower layer/);
  t.match(faultOf("lib/new/a.ts", "lib/net/b.ts"), /is in no layer/);
  t.equal(faultOf("lib/kernel/a.ts", "lib/plan/b.ts"), undefined);
  t.equal(faultOf("plugins/one/a.ts", "plugins/one/b.ts"), undefined);
});
