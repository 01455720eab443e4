// The rules for which an ADD of sriov-vfio has to succeed; the others are tried where there is no
// VF (test/system/conformance/sriov-vfio.test.ts).
import t from "tap";
import { attaching, conform } from "../../../system/conformance/conform.ts";
import { sriovVfioOn } from "../../../system/conformance/subjects/sriov-vfio.ts";

await conform(t, await sriovVfioOn(t, "eth0"), attaching);
