// Tests the bytes of the released files: no switches for tests, no traces of the build machine,
// nothing but the plugin.
import { readdirSync, readFileSync } from "node:fs";
import { homedir, hostname } from "node:os";
import { fileURLToPath } from "node:url";
import t from "tap";
import { dist } from "../../harness/plugin.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const files = readdirSync(dist).filter((name) => name !== "maps");

/** Matches names of environment variables and constants. */
const variable = /\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g;

/** The variables of the CNI specification and of its Go library. */
const ours = [
  "CNI_ARGS",
  "CNI_COMMAND",
  "CNI_CONTAINERID",
  "CNI_IFNAME",
  "CNI_NETNS",
  "CNI_NETNS_OVERRIDE",
  "CNI_PATH",
];
/** Keys of CNI_ARGS. */
const args = ["K8S_POD_NAME", "K8S_POD_NAMESPACE", "K8S_POD_UID"];
/** Words that the name of a switch for tests would contain. */
const suspicious = /FAULT|INJECT|FAIL_|_FAIL|MOCK|HOOK|FUZZ|TEST|DEBUG|SIMULAT|FAKE|STRACE/;

/**
 * Splits an executable into the host and the plugin. The plugin's length is in the last 32 bytes,
 * after a label of 64 bytes (payload.rs).
 */
function partsOf(name: string): { readonly host: string; readonly plugin: string; readonly bytes: Buffer } {
  const bytes = readFileSync(`${dist}/${name}`);
  const begin = bytes.length - 96 - Number(bytes.readBigUInt64LE(bytes.length - 32));
  const text = (part: Buffer): string => part.toString("latin1");
  return { host: text(bytes.subarray(0, begin)), plugin: text(bytes.subarray(begin)), bytes };
}

/**
 * Counts the functions that compare their canary with the thread's before they return: `sub
 * %fs:0x28,REGISTER`.
 */
function stackChecks(bytes: Buffer): number {
  const [code, place] = [Buffer.from("64482b", "hex"), Buffer.from("2528000000", "hex")];
  let count = 0;
  for (let at = bytes.indexOf(code); at >= 0; at = bytes.indexOf(code, at + 1))
    if (
      bytes
        .subarray(at + 3, at + 9)
        .subarray(1)
        .equals(place)
    )
      count++;
  return count;
}

/** Whether an ELF file is for x86-64 (EM_X86_64). */
function isX86(bytes: Buffer): boolean {
  return bytes.readUInt16LE(18) === 62;
}

for (const name of files) {
  const { host, plugin, bytes } = partsOf(name);
  const words = (text: string): string[] => [...new Set(text.match(variable) ?? [])].sort();

  t.test(`${name} contains no environment variables except those of the CNI specification`, async (t) => {
    const known = words(plugin).filter((word) => /^(CNI|K8S)_/.test(word) && !args.includes(word));
    t.same(known, ours);
    t.same(
      words(host).filter((word) => /^(CNI|K8S|KCB|KUBEVIRT)_/.test(word) && !isOfCommand(word)),
      [],
    );
  });

  t.test(
    `${name} checks its stack, as gcc's -fstack-protector-strong does`,
    { skip: !isX86(bytes) && "another architecture" },
    async (t) => {
      const checks = stackChecks(bytes);
      // Without -strong there are 60, only in functions with arrays of characters.
      t.ok(checks > 200, `${checks} checks`);
    },
  );

  t.test(`${name} contains no switch for tests`, async (t) => {
    const found = [...words(host), ...words(plugin)].filter((word) => suspicious.test(word));
    t.same(found, []);
  });

  t.test(`${name} contains no path or name of the build machine`, async (t) => {
    for (const place of [
      root.replace(/\/$/, ""),
      `${homedir()}/`,
      `${hostname()}.`,
      "/node_modules/",
      "sourceMappingURL",
    ])
      if (place.length > 4) t.notOk(bytes.includes(place), place);
  });

  t.test(`${name} contains neither symbols nor debug sections`, async (t) => {
    t.same(
      sectionNames(bytes).filter((section) => /^\.(z?debug|symtab|strtab|gdb)/.test(section)),
      [],
    );
  });
}

/** Returns the names of an ELF file's sections (elf(5)). */
function sectionNames(file: Buffer): string[] {
  const offset = Number(file.readBigUInt64LE(40));
  const [size, count, names] = [file.readUInt16LE(58), file.readUInt16LE(60), file.readUInt16LE(62)];
  const at = (index: number): number => offset + index * size;
  const strings = Number(file.readBigUInt64LE(at(names) + 24));
  return Array.from({ length: count }, (_, index) => {
    const start = strings + file.readUInt32LE(at(index));
    return file.toString("latin1", start, file.indexOf(0, start));
  });
}

/** CNI_COMMAND, by which the host reports that the plugin cannot run; a compiler may cut it. */
function isOfCommand(word: string): boolean {
  return word.startsWith("CNI_COMM");
}
