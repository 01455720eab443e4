// Real guests where the kernel has what CI's own lacks: guests in the machine, emulated twice.
import t from "tap";
import { checkout } from "../qemu.ts";
import { runInside } from "../suite.ts";

t.test("guests behind a bridge that filters VLANs, and on a tap beside a dummy", async (t) => {
  const files = ["vlans.ts", "managed-tap.test.ts"].map((name) => `${checkout}/test/lab/vm/guests/${name}`);
  await runInside(t, files, { name: "guests", machines: 2 });
});
