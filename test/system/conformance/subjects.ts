// All executables, here and in the lab. executables.test.ts fails if one is not in this list.
import type { Scope } from "../../harness/scope.ts";
import type { Subject } from "./subject.ts";
import { addressOnly } from "./subjects/address-only.ts";
import { bridgeBinding } from "./subjects/bridge-binding.ts";
import { passtBinding } from "./subjects/passt-binding.ts";
import { sriovVfioAlone } from "./subjects/sriov-vfio.ts";

/** Creates the subject of each plugin of plugins/. The executables are in dist/. */
export const plugins: Readonly<Record<string, (scope: Scope) => Promise<Subject>>> = {
  "bridge-binding": async () => bridgeBinding,
  "passt-binding": async () => passtBinding,
  // The lab has VFs and tries the other rules: test/lab/sriov/whole/conformance.test.ts.
  "sriov-vfio": async () => sriovVfioAlone,
};

/** Of the plugins in examples/, which are not released. */
export const examples: typeof plugins = { "address-only": addressOnly };
