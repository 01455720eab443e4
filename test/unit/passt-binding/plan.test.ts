import { deepStrictEqual } from "node:assert/strict";
import t from "tap";
import { factText } from "../../../lib/fact.ts";
import { apply, undo } from "../../../lib/plan/apply.ts";
import { schema } from "../../../plugins/passt-binding/netconf.ts";
import { plan, shortfalls } from "../../../plugins/passt-binding/plan.ts";
import { fc } from "../../harness/fast-check.ts";
import { MemoryKernel } from "../plan/memory-kernel.ts";
import { pod } from "../plan/pods.ts";

const portStart = "net.ipv4.ip_unprivileged_port_start";
const groupRange = "net.ipv4.ping_group_range";

/** What port start and group range become in a pod that has these. */
function after(found: readonly [string, string], conf: object = {}): unknown[] {
  const state = pod([], { [portStart]: found[0], [groupRange]: found[1] });
  const kernel = new MemoryKernel(state);
  apply(plan(schema.parse(conf as Record<string, never>), state), kernel, state);
  return [kernel.state.sysctls[portStart], kernel.state.sysctls[groupRange]];
}

t.test("a new pod gets the sysctls that passt needs as user and group 107", async (t) => {
  t.same(after(["1024", "1 0"]), ["0", "107 107"]);
});

t.test("the configured values are set", async (t) => {
  t.same(after(["1024", "1 0"], { unprivilegedPortStart: 80, pingGroupRange: [1, 200] }), ["80", "1 200"]);
});

t.test("a value that is wide enough is kept", async (t) => {
  t.same(after(["0", "0 2147483647"]), ["0", "0 2147483647"]);
  t.same(after(["67", "107 107"], { unprivilegedPortStart: 80 }), ["67", "107 107"]);
});

t.test("groups that could ping before still can", async (t) => {
  t.same(after(["1024", "0 50"]), ["0", "0 107"]);
  t.same(after(["1024", "108 300"]), ["0", "107 300"]);
  t.same(after(["1024", "100 110"], { pingGroupRange: [90, 120] }), ["0", "90 120"]);
});

t.test("a range that ends before it begins is empty", async (t) => {
  t.same(after(["1024", "65534 65533"]), ["0", "107 107"]);
});

t.test("the plan never narrows a value, contains the wanted one, and undoing restores the old one", async () => {
  const port = fc.integer({ min: 0, max: 65_535 });
  const group = fc.integer({ min: 0, max: 0xfffffffe });
  const pair = fc.tuple(group, group);
  fc.assert(
    fc.property(port, pair, port, pair, (start, [from, to], unprivilegedPortStart, wish) => {
      const [first, last] = wish.sort((one, other) => one - other);
      const state = pod([], { [portStart]: `${start}`, [groupRange]: `${from} ${to}` });
      const changes = plan({ unprivilegedPortStart, pingGroupRange: [first, last] }, state);
      const kernel = new MemoryKernel(state);
      apply(changes, kernel, state);
      const [low, high] = kernel.state.sysctls[groupRange]!.split(" ").map(Number) as [number, number];
      const least = Number(kernel.state.sysctls[portStart]);
      if (least > start || least > unprivilegedPortStart) throw new Error(`port start ${least}`);
      if (low > first || high < last) throw new Error(`${low} ${high} lacks what was asked for`);
      if (from <= to && (low > from || high < to)) throw new Error(`${low} ${high} is narrower`);
      if (from > to && (low !== first || high !== last)) throw new Error(`${low} ${high} is wider than asked for`);
      deepStrictEqual(undo(changes, kernel), []);
      deepStrictEqual(kernel.state, state);
    }),
  );
});

t.test("a value that is too narrow is named, and a wider one is not", async (t) => {
  const found = (start: string | undefined, groups: string): string[] =>
    shortfalls(
      schema.parse({}),
      pod([], { [groupRange]: groups, ...(start !== undefined && { [portStart]: start }) }),
    ).map(factText);
  t.same(found("0", "107 107"), []);
  t.same(found("0", "0 2147483647"), []);
  t.same(found("1024", "1 0"), [`${portStart}: is 1024, not 0`, `${groupRange}: is 1 0, not 107 107`]);
  t.same(found("0", "108 300"), [`${groupRange}: is 108 300, not 107 107`]);
  t.same(found(undefined, "107 107"), [`${portStart}: is absent, not 0`]);
});

t.test("a reversed range and a number out of the kernel's range are refused", async (t) => {
  const faults = (conf: object): string => {
    try {
      schema.parse(conf as Record<string, never>);
      return "";
    } catch (failure) {
      return (failure as Error).message;
    }
  };
  t.equal(
    faults({ pingGroupRange: [108, 107] }),
    "pingGroupRange: begins with 108 and ends with 107, the lower one comes first",
  );
  t.equal(
    faults({ unprivilegedPortStart: 65_536, pingGroupRange: [-1, 4_294_967_295] }),
    "unprivilegedPortStart: must be at most 65535, not 65536; pingGroupRange[0]: must be at least 0, not -1; pingGroupRange[1]: must be at most 4294967294, not 4294967295",
  );
  t.equal(faults({ pingGroupRange: "107 107" }), 'pingGroupRange: must be a list of two, not "107 107"');
});
