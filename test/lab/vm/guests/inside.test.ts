// Runs tests with guests inside the machine. Its kernel has features that the kernel of CI lacks.
// These guests are emulated by an emulated machine.
import t from "tap";
import { checkout } from "../qemu.ts";
import { runInside } from "../suite.ts";

t.test("the tests of guests with VLAN filtering and with a dummy placeholder pass", async (t) => {
  const files = ["vlans.ts", "managed-tap.test.ts"].map((name) => `${checkout}/test/lab/vm/guests/${name}`);
  await runInside(t, files, { name: "guests", machines: 2 });
});
