import t from "tap";
import { isIdentifier, linkNameFault, parseArgs, parsePath } from "../../../lib/cni/environment.ts";
import { fc } from "../../harness/fast-check.ts";

t.test("an identifier begins with a letter or digit and has no trailing newline", async (t) => {
  for (const text of ["a", "0", "c0ffee", "a_b.c-d", "A".repeat(300)]) t.ok(isIdentifier(text), text);
  for (const text of ["", "-a", ".a", "_a", "a b", "a/b", "a\n", "é", "a\0"])
    t.notOk(isIdentifier(text), JSON.stringify(text));
});

t.test("a link's name has 1 to 15 bytes, not characters", async (t) => {
  t.equal(linkNameFault("fifteen-bytes-1"), undefined);
  t.equal(linkNameFault("sixteen-bytes-12"), "is too long");
  t.equal(linkNameFault("ééééééé1"), undefined, "15 bytes");
  t.equal(linkNameFault("éééééééé"), "is too long", "16 bytes");
  t.equal(linkNameFault("日本語の網"), undefined, "15 bytes");
  t.equal(linkNameFault("🖧🖧🖧🖧"), "is too long", "16 bytes");
  t.equal(linkNameFault(""), "is empty");
});

t.test("a link's name is measured in UTF-8 bytes", async (t) => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", minLength: 1, maxLength: 16 }), (name) => {
      t.equal(linkNameFault(name) === "is too long", Buffer.byteLength(name) > 15);
    }),
  );
});

t.test("a link's name with a slash, a colon or white space, or . or .., is refused", async (t) => {
  for (const name of [".", ".."]) t.equal(linkNameFault(name), "is . or ..");
  for (const point of [
    0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x20, 0x2f, 0x3a, 0x85, 0xa0, 0x1680, 0x2000, 0x200a, 0x2028, 0x2029, 0x202f, 0x205f,
    0x3000,
  ])
    t.equal(
      linkNameFault(`a${String.fromCodePoint(point)}b`),
      "contains / or : or whitespace characters",
      point.toString(16),
    );
  for (const name of ["...", "a.b", "eth0@if2", "\ufeff", "a\u200bb", "a-b_c"])
    t.equal(linkNameFault(name), undefined, name);
});

t.test("a link's name with any character of Unicode's White_Space is refused", async (t) => {
  for (let point = 1; point < 0x10000; point++) {
    const character = String.fromCodePoint(point);
    if (/\p{White_Space}/u.test(character) !== (linkNameFault(character) !== undefined && !"/:.".includes(character)))
      t.fail(point.toString(16));
  }
});

t.test("CNI_ARGS are read as pairs, and the last value of a key wins", async (t) => {
  const plain = (text: string | undefined) => ({ ...parseArgs(text) });
  t.same(plain("IgnoreUnknown=1;K8S_POD_NAME=p;IP=10.0.0.1,fd00::1"), {
    IgnoreUnknown: "1",
    K8S_POD_NAME: "p",
    IP: "10.0.0.1,fd00::1",
  });
  t.same(plain("A=1;B=2;A=3"), { A: "3", B: "2" });
  t.same(plain("A=;B=x=y;;"), { A: "", B: "x=y" });
  for (const nothing of [undefined, "", ";"]) t.same(plain(nothing), {});
});

t.test("CNI_ARGS accept any key and have no inherited ones", async (t) => {
  const args = parseArgs("__proto__=a;constructor=b");
  t.same(Object.entries(args), [
    ["__proto__", "a"],
    ["constructor", "b"],
  ]);
  t.equal(args["toString"], undefined);
});

t.test("CNI_ARGS without an equals sign or a key are refused", async (t) => {
  for (const text of ["A", "A=1;B", "=1", "A=1; "])
    t.throws(() => parseArgs(text), { code: 4, message: /^CNI_ARGS: invalid pair/ }, text);
});

t.test("CNI_PATH skips empty entries and never includes the working directory", async (t) => {
  t.same(parsePath("/opt/cni/bin:/usr/lib/cni"), ["/opt/cni/bin", "/usr/lib/cni"]);
  t.same(parsePath(":/a::/b:"), ["/a", "/b"]);
  t.same(parsePath(""), []);
  t.same(parsePath(undefined), []);
});
