// What a test writes for planned.
import { type ConfOf, defineSchema, journalDirectory, required, type SalvagedOf } from "../../../lib/cni/netconf.ts";
import { text } from "../../../lib/cni/schemas.ts";

export const schema = defineSchema(() => ({
  /** The additions as JSON: see test/harness/additions.ts. */
  plan: required(() => text({ max: 100_000 })),
  dataDir: journalDirectory("planned"),
}));

export type Conf = ConfOf<typeof schema>;

export type SalvagedConf = SalvagedOf<typeof schema>;
