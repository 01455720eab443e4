// Tests the conformance rules that need a successful ADD of sriov-vfio.
//
// The other rules are tested without a VF (test/system/conformance/sriov-vfio.test.ts).
import t from "tap";
import { attaching, conform } from "../../../system/conformance/conform.ts";
import { sriovVfioOn } from "../../../system/conformance/subjects/sriov-vfio.ts";

await conform(t, await sriovVfioOn(t, "eth0"), attaching);
