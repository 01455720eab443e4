import t from "tap";
import { NetlinkError } from "../../../lib/netlink/errors.ts";
import { bytesOfText, readText } from "../../../lib/netlink/text.ts";
import { fc } from "../../harness/fast-check.ts";

const read = (bytes: Uint8Array): string => readText(bytes, 0, bytes.length);

/** Draws bytes that often are part of UTF-8 sequences. */
const bytes = fc
  .array(
    fc.oneof(fc.integer({ min: 1, max: 255 }), fc.constantFrom(0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0x80, 0x90, 0xa0, 0xbf)),
  )
  .map((list) => Uint8Array.from(list));

t.test("UTF-8 is read and written as Node reads and writes it", (t) => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const encoded = new TextEncoder().encode(text);
      return text.includes("\0") || (read(encoded) === text && Buffer.from(bytesOfText(text)).equals(encoded));
    }),
  );
  t.end();
});

t.test("bytes that are not UTF-8 for Node are read as lone surrogates", (t) => {
  fc.assert(
    fc.property(bytes, (bytes) => {
      const text = read(bytes);
      const loose = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
      return t.equal(!/\p{Surrogate}/u.test(text), !loose.includes("\ufffd") || Buffer.from(loose).equals(bytes));
    }),
    { numRuns: 2000 },
  );
  t.end();
});

t.test("any bytes are unchanged after they are read and written", (t) => {
  fc.assert(
    fc.property(bytes, (bytes) => Buffer.from(bytesOfText(read(bytes))).equals(bytes)),
    { numRuns: 2000 },
  );
  t.end();
});

t.test("bytes that are not UTF-8 are unchanged after a round trip through JSON", (t) => {
  const bytes = Uint8Array.of(0x61, 0xff, 0xe2, 0x82);
  t.strictSame(Uint8Array.from(bytesOfText(JSON.parse(JSON.stringify(read(bytes))))), bytes);
  t.end();
});

t.test("a character cut off at the end is read as a lone surrogate", (t) => {
  t.equal(readText(new TextEncoder().encode("aé"), 0, 2), "a\udcc3");
  t.end();
});

t.test("text ends at the first NUL", (t) => {
  t.equal(read(Uint8Array.of(0x61, 0, 0x62)), "a");
  t.end();
});

t.test("text that cannot be written as bytes is refused", (t) => {
  for (const text of ["a\0b", "\ud800", "\udc00x", "\udfff"])
    t.throws(() => bytesOfText(text), new NetlinkError("EINVAL", 22, `${JSON.stringify(text)} is not a name`));
  t.end();
});
