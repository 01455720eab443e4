import { readFile } from "node:fs/promises";
import t from "tap";
import { isStatic } from "../../../scripts/building/elf.ts";

/** An ELF file of nothing but program headers of these types. */
function elf(...types: number[]): Uint8Array {
  const file = new DataView(new ArrayBuffer(64 + 56 * types.length));
  file.setUint32(0, 0x7f454c46);
  file.setUint16(4, 0x0201);
  file.setBigUint64(32, 64n, true);
  file.setUint16(54, 56, true);
  file.setUint16(56, types.length, true);
  for (const [index, type] of types.entries()) file.setUint32(64 + 56 * index, type, true);
  return new Uint8Array(file.buffer);
}

const [load, dynamic, interpreter] = [1, 2, 3];

t.test("an executable with an interpreter is not static", async (t) => {
  t.equal(isStatic(elf(load, interpreter, dynamic)), false);
  t.equal(isStatic(elf(load, load, interpreter)), false);
});

t.test("a relocatable executable without an interpreter is static", async (t) => {
  t.equal(isStatic(elf(load, dynamic)), true);
  t.equal(isStatic(elf()), true);
});

t.test("an executable in a part of a larger buffer is read", async (t) => {
  const file = Buffer.concat([Buffer.alloc(3), elf(interpreter)]).subarray(3);
  t.equal(isStatic(file), false);
});

t.test("this Node.js is classified by its headers", async (t) => {
  const node = await readFile(process.execPath);
  t.equal(isStatic(node), !node.subarray(0, 4096).includes("ld-linux") && !node.subarray(0, 4096).includes("ld-musl"));
});

t.test("a file that is not 64-bit little-endian ELF is refused", async (t) => {
  const big = elf();
  big[5] = 2;
  for (const file of [new Uint8Array(), new Uint8Array(100), elf().subarray(0, 63), big]) {
    t.throws(() => isStatic(file), { message: "not an ELF file of 64 bits, little endian" });
  }
});
