// Every executable that there is, here and in the lab: what is not in this list is not tested, and
// executables.test.ts says so.
import type { Scope } from "../../harness/scope.ts";
import type { Subject } from "./subject.ts";
import { addressOnly } from "./subjects/address-only.ts";
import { bridgeBinding } from "./subjects/bridge-binding.ts";
import { passtBinding } from "./subjects/passt-binding.ts";
import { sriovVfioAlone } from "./subjects/sriov-vfio.ts";

/** Of plugins/, each in dist/: how its subject is made, by its name. */
export const plugins: Readonly<Record<string, (scope: Scope) => Promise<Subject>>> = {
  "bridge-binding": async () => bridgeBinding,
  "passt-binding": async () => passtBinding,
  // The lab, which has VFs, tries the rest of it: test/lab/sriov/whole/conformance.test.ts.
  "sriov-vfio": async () => sriovVfioAlone,
};

/** Of examples/, which are not released. */
export const examples: typeof plugins = { "address-only": addressOnly };
