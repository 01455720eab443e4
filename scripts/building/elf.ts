// Checks what an ELF executable requires of the machine that runs it (elf(5)).

const segmentTypes = { interpreter: 3 };

/**
 * Whether an executable is statically linked: it names no interpreter, which would be the dynamic
 * linker.
 *
 * @throws if the file is no 64-bit, little-endian ELF file
 */
export function isStatic(file: Uint8Array): boolean {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  // "\x7fELF", then ELFCLASS64 and ELFDATA2LSB.
  if (file.length < 64 || view.getUint32(0) !== 0x7f454c46 || view.getUint16(4) !== 0x0201)
    throw new Error("not an ELF file of 64 bits, little endian");
  const offset = Number(view.getBigUint64(32, true));
  const [size, count] = [view.getUint16(54, true), view.getUint16(56, true)];
  for (let index = 0; index < count; index++) {
    if (view.getUint32(offset + index * size, true) === segmentTypes.interpreter) return false;
  }
  return true;
}
