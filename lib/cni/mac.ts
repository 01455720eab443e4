// Chooses the guest's MAC address among the places where a call can ask for one.
import { normalMac } from "../net/mac.ts";
import { CniError, code } from "./errors.ts";
import { isObject } from "./json.ts";
import type { AttachmentParameters, Call } from "./plugin.ts";

/**
 * Returns the MAC address that the call asks for, in the kernel's spelling. Undefined if it asks
 * for none.
 *
 * The order is `runtimeConfig.mac`, `args.cni.mac`, `MAC` in CNI_ARGS, `configured`
 * (CONVENTIONS.md, "Dynamic Plugin specific fields"; there `args` supersedes CNI_ARGS).
 * @throws CniError that names the place if its value is not an address that a link can have: 4 for
 *   CNI_ARGS, otherwise 7
 */
export function requestedMac(
  { object, args }: Pick<Call & AttachmentParameters, "object" | "args">,
  configured?: string,
): string | undefined {
  const { runtimeConfig, args: extra } = object;
  const cni = isObject(extra) && isObject(extra.cni) ? extra.cni : {};
  const places: [place: string, value: unknown][] = [
    ["runtimeConfig.mac", isObject(runtimeConfig) ? runtimeConfig.mac : undefined],
    ["args.cni.mac", cni.mac],
    ["CNI_ARGS: MAC", args.MAC],
    ["mac", configured],
  ];
  const found = places.find(([, value]) => value !== undefined && value !== null && value !== "");
  if (found === undefined) return undefined;
  const [place, value] = found;
  const mac = typeof value === "string" ? normalMac(value) : undefined;
  if (mac !== undefined) return mac;
  const words = `${place}: must be a unicast MAC address such as 02:00:00:00:00:01, not ${JSON.stringify(value)}`;
  throw new CniError(place === "CNI_ARGS: MAC" ? code.badEnvironment : code.badConfiguration, words);
}
