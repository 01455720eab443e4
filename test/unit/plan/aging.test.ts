import t from "tap";
import { aged } from "../../../lib/plan/aging.ts";
import type { Change, SetLink } from "../../../lib/plan/change.ts";
import { address, link, route } from "./pods.ts";

const forever = 0xffffffff;

/** What is left of a link's addresses and routes after some seconds. */
function restored(seconds: number): { addresses: object[]; expires: (number | undefined)[] } {
  const lasting = (valid: number, preferred: number) => address("10.0.0.2/24", { lifetime: { valid, preferred } });
  const from = {
    ...link({ name: "eth0" }),
    addresses: [address("10.0.0.1/24"), lasting(500, 400), lasting(forever, 30), lasting(60, 60)],
    routes: [route("10.7.0.0/16"), { ...route("fd07::/64"), expires: 500 }, { ...route("fd08::/64"), expires: 60 }],
  };
  const change: Change = { do: "set", index: 2, from, to: link({ name: "eth0-nic" }) };
  const [{ from: left }] = aged([change], seconds) as [SetLink];
  return {
    addresses: left.addresses.map(({ message: { lifetime } }) => lifetime ?? {}),
    expires: left.routes.map(({ expires }) => expires),
  };
}

t.test("lifetimes are shorter by the whole seconds that passed", async (t) => {
  t.same(restored(10.9), {
    addresses: [{}, { valid: 490, preferred: 390 }, { valid: forever, preferred: 20 }, { valid: 50, preferred: 50 }],
    expires: [undefined, 490, 50],
  });
});

t.test("an address and a route that have expired are not restored", async (t) => {
  for (const seconds of [60, 61])
    t.same(restored(seconds), {
      addresses: [
        {},
        { valid: 500 - seconds, preferred: 400 - seconds },
        // Deprecated, but still valid.
        { valid: forever, preferred: 0 },
      ],
      expires: [undefined, 500 - seconds],
    });
});
