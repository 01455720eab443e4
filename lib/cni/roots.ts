// The directories below which everything is that plugins write on the node. A netconf cannot choose
// them: its author may be a tenant.
import { CniError, code } from "./errors.ts";
import { isBelow, withoutVar } from "./schemas.ts";

/** Absolute paths without a slash at the end. */
export interface Roots {
  /** Records are in `PLUGIN` below it, locks in `kubevirt-cni-bindings`. */
  readonly state: string;
  /** The only directory in which a netconf may name a log file. */
  readonly log: string;
  /** Device information: Multus and device plugins use no other (DefaultDevInfoPath). */
  readonly deviceInfo: string;
}

/** The file of the node that may change the roots. */
export const rootsFile = { directory: "/etc", name: "kubevirt-cni-bindings.json" } as const;

const compiledIn: Roots = {
  state: "/run",
  log: "/var/log/kubevirt-cni-bindings",
  deviceInfo: "/var/run/k8s.cni.cncf.io/devinfo",
};

let current = compiledIn;

/** Returns the node's roots. */
export function roots(): Roots {
  return current;
}

/**
 * Takes the roots from the file's text. A root that is absent stays as it is compiled in.
 *
 * @throws CniError 7 that names the field
 */
export function setRoots(text: string): void {
  const path = `${rootsFile.directory}/${rootsFile.name}`;
  const refuse = (words: string): never => {
    const names = Object.keys(compiledIn).join(", ");
    throw new CniError(code.badConfiguration, `${path}: ${words}`, `it is a JSON object with some of: ${names}`);
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (failure) {
    return refuse((failure as Error).message);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse("is not an object");
  for (const [name, root] of Object.entries(value)) {
    if (!Object.hasOwn(compiledIn, name)) return refuse(`unknown field ${JSON.stringify(name)}`);
    if (typeof root !== "string" || !isNormal(root))
      return refuse(`${name}: must be an absolute path of a directory, not ${JSON.stringify(root)}`);
  }
  current = { ...compiledIn, ...value };
}

/** Whether the path is absolute, and contains no empty part, no `.` and no `..`. */
function isNormal(path: string): boolean {
  return /^(?:\/[^/\0]+)+$/.test(path) && !path.split("/").some((part) => part === "." || part === "..");
}

/**
 * Returns the path relative to the root of device information. Undefined if the path is not below
 * it. `/run` and `/var/run` are the same.
 */
export function belowDeviceInfo(path: string): string | undefined {
  const root = withoutVar(roots().deviceInfo);
  const wanted = withoutVar(path);
  if (wanted === root || /\/(?:\/|$)/.test(wanted) || !isBelow(root, wanted)) return undefined;
  return wanted.slice(root.length + 1);
}
