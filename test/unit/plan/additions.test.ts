// Whatever a plan adds to a pod, CHECK finds and DEL removes.
import t from "tap";
import { factText } from "../../../lib/fact.ts";
import { apply, undo } from "../../../lib/plan/apply.ts";
import { type Change, expectation } from "../../../lib/plan/change.ts";
import { differences } from "../../../lib/plan/differences.ts";
import { markOf } from "../../../lib/plan/mark.ts";
import { changed, sysctl } from "../../../lib/plan/objects.ts";
import { settled } from "../../../lib/plan/settle.ts";
import type { State } from "../../../lib/plan/state.ts";
import { type Additions, additions } from "../../harness/additions.ts";
import { fc } from "../../harness/fast-check.ts";
import { allOrNothing, MemoryKernel } from "./memory-kernel.ts";
import { picture } from "./picture.ts";
import { address, dummy, link, pod, route } from "./pods.ts";

const eth0 = link({
  name: "eth0",
  index: 2,
  addresses: [address("10.244.0.7/24"), address("fd00::7/64")],
  routes: [route("0.0.0.0/0", "10.244.0.1"), route("::/0", "fd00::1")],
});

const state: State = pod([eth0], {
  "net.ipv4.ip_local_port_range": "32768 60999",
  "net.ipv4.icmp_echo_ignore_all": "0",
  "net.ipv4.tcp_keepalive_time": "7200",
});

function planOf({ settings, objects, bridge, sysctls }: Additions): Change[] {
  const { addresses, routes, neighbors } = objects;
  const changes: Change[] = [
    changed(eth0, {
      ...settings,
      addresses: [...eth0.addresses, ...addresses],
      routes: [...eth0.routes, ...routes],
      neighbors: [...eth0.neighbors, ...neighbors],
    }),
    ...Object.entries(sysctls).map(([key, value]) => sysctl(key, value, state)),
  ];
  if (bridge !== undefined) changes.push({ do: "create", link: dummy({ name: "new0", mark: markOf(2), ...bridge }) });
  return settled({ changes, state }).changes as Change[];
}

t.test("CHECK finds everything that ADD adds, and DEL removes it", async (t) => {
  fc.assert(
    fc.property(additions, (drawn) => {
      const changes = planOf(drawn);
      const kernel = new MemoryKernel(state);
      apply(changes, kernel, state);
      t.same(differences(expectation(changes), kernel.state).map(factText), []);
      t.same(undo(changes, kernel), []);
      t.same(picture(kernel.state), picture(state));
    }),
  );
});

t.test("a failure or a kill at any step leaves nothing", async (t) => {
  fc.assert(
    fc.property(additions, fc.nat(60), fc.boolean(), (drawn, at, isKill) => {
      const changes = planOf(drawn);
      const kernel = new MemoryKernel(state);
      kernel.before = (position) => {
        if (position === at) throw new Error("stop");
      };
      try {
        if (isKill) apply(changes, kernel, state);
        else allOrNothing(changes, kernel, state);
      } catch (failure) {
        t.match(failure, { message: "stop" });
      }
      kernel.before = undefined;
      t.same(undo(changes, kernel), []);
      t.same(picture(kernel.state), picture(state));
    }),
  );
});

t.test("a settled plan is settled", async (t) => {
  fc.assert(
    fc.property(additions, (drawn) => {
      const changes = planOf(drawn);
      t.same(settled({ changes, state }).changes, changes);
    }),
  );
});
