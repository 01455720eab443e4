import t from "tap";
import { decodeObject, syntaxFault } from "../../../lib/cni/json.ts";
import { fc } from "../../harness/fast-check.ts";

t.test("syntaxFault returns the position and the reason of a syntax error", async (t) => {
  for (const [text, fault] of [
    ["", "line 1, column 1: ends too early, expected a value"],
    ["{", 'line 1, column 2: ends too early, expected a key or "}"'],
    ['{"a"', 'line 1, column 5: ends too early, expected ":"'],
    ['{"a":', "line 1, column 6: ends too early, expected a value"],
    ['{"a":1', 'line 1, column 7: ends too early, expected "," or "}"'],
    ['{\n  "a": 1,\n}', 'line 3, column 1: unexpected "}", expected a key'],
    ['{\n  "a": 1\n  "b": 2\n}', 'line 3, column 3: unexpected "\\"", expected "," or "}"'],
    ["[1,]", 'line 1, column 4: unexpected "]", expected a value'],
    ["[1}", 'line 1, column 3: unexpected "}", expected "," or "]"'],
    ["{'a': 1}", `line 1, column 2: unexpected "'", expected a key or "}"`],
    ["{a: 1}", 'line 1, column 2: unexpected "a", expected a key or "}"'],
    ['{"a" 1}', 'line 1, column 6: unexpected "1", expected ":"'],
    ['{"a": 01}', 'line 1, column 8: unexpected "1", expected "," or "}"'],
    ['{"a": -}', 'line 1, column 7: unexpected "-", expected a value'],
    ['{"a": True}', 'line 1, column 7: unexpected "T", expected a value'],
    ['{"a": 1} x', 'line 1, column 10: unexpected "x", expected nothing more'],
    ['{"a": 1}\u0000', "line 1, column 9: unexpected U+0000, expected nothing more"],
    ['\ufeff{"a": 1}', "line 1, column 1: unexpected U+FEFF, expected a value"],
    ["🖧", "line 1, column 1: unexpected U+1F5A7, expected a value"],
    ['{"a": "x', "line 1, column 7: the string that begins here does not end"],
    ['{"a": "x\n"}', "line 1, column 9: U+000A inside a string, write it as an escape"],
    ['{"a": "\\x"}', "line 1, column 8: unknown escape in a string"],
    ['{"a": "\\u12g4"}', "line 1, column 8: unknown escape in a string"],
    ["// note\n{}", 'line 1, column 1: unexpected "/", expected a value'],
  ] as const)
    t.equal(syntaxFault(text), fault, JSON.stringify(text));
});

t.test("syntaxFault finds a fault exactly in the texts that JSON.parse refuses", async (t) => {
  const isJson = (text: string): boolean => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };
  const broken = fc
    .tuple(fc.json(), fc.nat(), fc.nat({ max: 3 }), fc.stringMatching(/^[{}[\]",:\\0-9eE+. tfnu-]{0,3}$/))
    .map(([text, at, cut, more]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + more + text.slice(place + cut);
    });
  fc.assert(
    fc.property(fc.oneof(broken, fc.json(), fc.stringMatching(/^[{}[\]",:\\0-9eE+. \n-]{0,12}$/)), (text) => {
      t.equal(syntaxFault(text) === undefined, isJson(text), JSON.stringify(text));
    }),
    { numRuns: 5000 },
  );
});

t.test("syntaxFault finds a fault in a large and deep text without a stack overflow", async (t) => {
  const deep = "[".repeat(500_000);
  t.equal(syntaxFault(`${deep}`), 'line 1, column 500001: ends too early, expected a value or "]"');
  t.equal(
    syntaxFault(`{"a":"${"x".repeat(1_000_000)}"`),
    'line 1, column 1000008: ends too early, expected "," or "}"',
  );
});

t.test("decodeObject returns the object, and the last value of a repeated key wins", async (t) => {
  t.same(decodeObject(' {"a": [1, {"b": null}], "a": 2}\n', "netconf"), { a: 2 });
  const own = decodeObject('{"__proto__": {"mtu": 1}}', "netconf");
  t.equal(own.mtu, undefined);
});

t.test("decodeObject refuses a text that is not an object, and names its type", async (t) => {
  for (const [text, message] of [
    ["[]", "netconf: is a list, not an object"],
    ["null", "netconf: is null, not an object"],
    ["5", "netconf: is 5, not an object"],
    ['"a"', 'netconf: is "a", not an object'],
    ["{", 'netconf: is not JSON: line 1, column 2: ends too early, expected a key or "}"'],
  ] as const)
    t.throws(() => decodeObject(text, "netconf"), { name: "CniError", code: 6, message });
});

t.test("decodeObject refuses too many different keys, at any depth, and states the position", async (t) => {
  const keys = (count: number, first = 0): string =>
    Array.from({ length: count }, (_, at) => `"k${first + at}": "\\\\"`).join(",");
  const fault = { code: 6, message: /^netconf: line \d+, column \d+: more than 512 different keys; remove those/ };
  t.equal(Object.keys(decodeObject(`{${keys(512)}}`, "netconf")).length, 512);
  t.throws(() => decodeObject(`{${keys(513)}}`, "netconf"), fault);
  t.throws(() => decodeObject(`{"a": [{"b": {${keys(511)}}}]}`, "netconf"), fault);
  const many = Array.from({ length: 100 }, (_, at) => `{${keys(10, at * 10)}}`);
  t.throws(() => decodeObject(`{"a": [${many}]}`, "netconf"), fault, "in many small objects");
  t.throws(() => decodeObject(`{${keys(513)}`, "netconf"), fault, "before it is parsed");
});

t.test("decodeObject accepts the same keys many times, as a GC with 8000 attachments has them", async (t) => {
  const attachments = (count: number): string =>
    `{"a": [${Array.from({ length: count }, (_, at) => `{"containerID": "c\\"${at}", "ifname":"net1"}`)}]}`;
  t.equal((decodeObject(attachments(8000), "netconf").a as unknown[]).length, 8000);
  t.throws(() => decodeObject(attachments(8192), "netconf"), { code: 6, message: /more than 16384 keys/ });
});

t.test("decodeObject counts no text in a string as a key", async (t) => {
  const text = JSON.stringify({ a: Array.from({ length: 1000 }, (_, at) => `"k${at}": {\\"x":`) });
  t.same(decodeObject(text, "netconf"), JSON.parse(text));
});
