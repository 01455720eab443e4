// Tests what `diagnose` finds on kernels that have VLAN filtering and dummy links.
//
// They are in this directory because its tests also run in the lab (test/lab/vm/README.md).
import { execa } from "execa";
import t from "tap";
import { within } from "../../../harness/namespaces.ts";
import { diagnose, patientOf } from "../diagnose/diagnosing.ts";
import { missing } from "./features.ts";

t.test(
  "diagnose reports a bridge that filters out the VLAN of the tap or the NIC",
  { skip: missing("vlanFiltering") },
  async (t) => {
    const { pod, dataDir, findings } = await patientOf(t, "bridge-binding", { netconf: { vlan: 100 } });
    t.same(await findings(), []);
    const { stdout } = await diagnose(["--data-dir", dataDir, pod.namespace.path]);
    t.match(stdout, /^eth0-nic .* VLANs 100$/m);
    t.match(stdout, /^k6t-eth0 .* filters VLANs$/m);
    t.match(stdout, /^tap0 .* VLANs 100 untagged, /m);
    t.match(stdout, /^eth0 +dummy +down /m);
    for (const port of ["eth0-nic", "tap0"]) {
      const [file, ...args] = within(pod.namespace, "bridge", "vlan", "del", "dev", port, "vid", "100");
      await execa(file, args);
      t.same(await findings(), ["vlan-gap tap0", "record-differs eth0-nic"], port);
    }
  },
);
