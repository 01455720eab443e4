// Adds a kind of change to a copy of the sources, and reads from the compiler which places demand a
// decision.
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t, { type Test } from "tap";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/**
 * The functions whose bodies do not compile after `from` in `file` was replaced by `to`, as `file:
 * function`.
 */
async function undecided(t: Test, file: string, from: string, to: string): Promise<Set<string>> {
  // Not below .tap: the compiler passes over folders whose name begins with a dot.
  const copy = mkdtempSync(join(tmpdir(), "kinds-"));
  t.teardown(() => rmSync(copy, { recursive: true }));
  for (const name of ["lib", "plugins", "commands", "examples", "tsconfig.json"])
    cpSync(join(root, name), join(copy, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  const before = readFileSync(join(copy, file), "utf8");
  t.match(before, from);
  writeFileSync(join(copy, file), before.replace(from, to));
  // Without NODE_OPTIONS: with the loaders that tap puts there Node cannot load the compiler.
  const { stdout } = await execa(
    "env",
    ["--unset=NODE_OPTIONS", join(root, "node_modules/.bin/tsc"), "--pretty", "false"],
    {
      cwd: copy,
      reject: false,
    },
  );
  const places = [...stdout.matchAll(/^(\S+?)\((\d+),\d+\): error/gm)];
  return new Set(places.map(([, path, line]) => `${path}: ${functionAt(join(copy, path!), Number(line))}`));
}

/** The name that the nearest line above declares at the outer level, or as a method. */
function functionAt(path: string, line: number): string {
  const lines = readFileSync(path, "utf8").split("\n").slice(0, line).reverse();
  const declaration = /^(?:export )?(?:function|const) (\w+)|^ {2}(#?\w+)\(.*\{$/;
  const [, outer, method] = lines.flatMap((text) => declaration.exec(text) ?? []);
  return outer ?? method ?? "";
}

t.test("a new kind of change does not compile until every place has decided about it", async (t) => {
  const change = "export type Change = CreateLink | SetLink | SetSysctl;";
  const more = `${change.slice(0, -1)} | SetTable;\nexport interface SetTable { readonly do: "table" }`;

  const places = await undecided(t, "lib/plan/change.ts", change, more);

  for (const place of [
    "lib/plan/change.ts: changeKinds", // the journal
    "lib/plan/change.ts: scope",
    "lib/plan/change.ts: expectation", // CHECK
    "lib/plan/change.ts: createdLinks", // diagnose: what is ours
    "lib/plan/change.ts: sysctlChanges", // diagnose: sysctls
    "lib/plan/step.ts: stepsOf", // apply
    "lib/plan/step.ts: undoing", // undo
    "lib/plan/aging.ts: aged",
    "lib/plan/shared.ts: mapSysctls",
    "lib/plan/words.ts: whatOf",
  ])
    t.ok(places.has(place), place);
});

t.test("a new kind of link does not compile until the kernel's side knows how to create it", async (t) => {
  const links = "export type NewLink = NewBridge | NewTap | NewDummy;";
  const more = `${links.slice(0, -1)} | NewVeth;\nexport interface NewVeth extends MarkedLink { readonly kind: "veth" }`;

  const places = await undecided(t, "lib/plan/state.ts", links, more);

  t.ok(places.has("lib/kernel/link-maker.ts: create"), [...places].join(", "));
});

t.test("a new kind of device change does not compile until every place has decided about it", async (t) => {
  const change = "export type DeviceChange = ConfigureVf | BindDriver | WriteFile;";
  const more = `${change.slice(0, -1)} | Reset;\nexport interface Reset { readonly do: "reset" }`;

  const places = await undecided(t, "lib/plan/device.ts", change, more);

  for (const place of [
    "lib/plan/device.ts: deviceChangeKinds", // the journal
    "lib/plan/device.ts: bindings",
    "lib/plan/device.ts: withoutDevice", // undo without the device
    "lib/plan/device.ts: vfChanges", // diagnose
    "lib/kernel/devices.ts: perform",
    "lib/kernel/devices.ts: #revert",
    "lib/kernel/devices.ts: differences", // CHECK
    "lib/plan/words.ts: deviceChange",
  ])
    t.ok(places.has(place), place);
});
