// Converts results between the versions of the specification (SPEC.md, section 5, of each version).
import { CniError, code } from "./errors.ts";
import { isObject, type JsonObject } from "./json.ts";
import type { CniRoute, Interface, IpConfig, Result } from "./results.ts";
import { configVersion, isAtLeast, type Version } from "./versions.ts";

/**
 * Reads the result of another plugin.
 *
 * Keeps unknown keys. Keeps each entry of `interfaces`, `ips` and `routes` as the same object, by
 * which {@link writeResult} recognises it. Exception: before 0.3.0 there is no `ips`; its entries
 * are created from `ip4` and `ip6`.
 * @param version the version of a document that does not state its own
 * @param subject what a fault begins with, such as `prevResult`
 * @throws CniError 7 that lists all faults of the shape, or a CniError 1
 */
export function readResult(document: JsonObject, version: Version, subject: string): Result {
  const { cniVersion, ...found } = document;
  const own =
    cniVersion === undefined || cniVersion === null || cniVersion === "" ? version : configVersion(cniVersion);
  const result = isAtLeast(own, "0.3.0") ? found : fromFamilies(found);
  const faults = [
    ...faultsOfList(result, "interfaces", "name"),
    ...faultsOfList(result, "ips", "address"),
    ...faultsOfList(result, "routes", "dst"),
    ...(result.dns === undefined || result.dns === null || isObject(result.dns) ? [] : ["dns: must be an object"]),
  ];
  if (faults.length > 0)
    throw new CniError(
      code.badConfiguration,
      faults.map((fault) => `${subject}.${fault}`),
    );
  return withoutNulls(result) as Result;
}

function faultsOfList(result: JsonObject, key: string, needed: string): string[] {
  const list = result[key];
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list)) return [`${key}: must be a list`];
  return list.flatMap((entry: unknown, position) => {
    if (!isObject(entry)) return [`${key}[${position}]: must be an object`];
    return typeof entry[needed] === "string" ? [] : [`${key}[${position}].${needed}: must be text`];
  });
}

/** Go's libraries write `null` for an empty list. */
function withoutNulls(result: JsonObject): JsonObject {
  if (!Object.values(result).includes(null)) return result;
  return Object.fromEntries(Object.entries(result).filter(([, value]) => value !== null));
}

/** Reads versions 0.1.0 and 0.2.0: one address of each family, each with its routes. */
function fromFamilies({ ip4, ip6, ...rest }: JsonObject): JsonObject {
  const families = [ip4, ip6].filter(isObject);
  if (families.length === 0) return rest;
  const routes = families.flatMap((family) => family.routes ?? []);
  return {
    ...rest,
    ips: families.map(({ ip, routes, ...others }) => ({ address: ip, ...others })),
    ...(routes.length > 0 && { routes }),
  };
}

/**
 * Writes a result in a version, with `cniVersion`.
 *
 * - 0.2.0 and older: the first address of each family with the routes of that family.
 * - 0.3 and 0.4: each address with its family.
 * - Older than 1.1.0: without the fields that 1.1.0 added.
 *
 * What `previous`, in the same version, already had is passed on unchanged.
 */
export function writeResult(result: Result, version: Version, previous: Result | undefined): JsonObject {
  const { interfaces, ips, routes } = result;
  requireInterfaces(
    ips?.filter((entry) => previous?.ips?.includes(entry) !== true),
    interfaces,
  );
  if (!isAtLeast(version, "0.3.0")) return { cniVersion: version, ...toFamilies(result) };
  return {
    cniVersion: version,
    ...result,
    ...(interfaces !== undefined && {
      interfaces: converted(interfaces, previous?.interfaces, writeInterface, version),
    }),
    ...(ips !== undefined && { ips: converted(ips, previous?.ips, writeIp, version) }),
    ...(routes !== undefined && { routes: converted(routes, previous?.routes, writeRoute, version) }),
  };
}

/**
 * Throws a RangeError for an address on an interface that does not exist: a fault of this program.
 */
function requireInterfaces(ips: readonly IpConfig[] | undefined, interfaces: readonly Interface[] | undefined): void {
  const [fault] = danglingIps({ ...(ips && { ips }), ...(interfaces && { interfaces }) });
  if (fault !== undefined) throw new RangeError(fault);
}

/**
 * Returns the addresses on interfaces that do not exist: `ips: 10.0.0.7/24 is on interface 1 of 1`.
 */
export function danglingIps({ ips = [], interfaces: { length } = [] }: Result): string[] {
  return ips
    .filter(({ interface: position }) => position !== undefined && (position < 0 || position >= length))
    .map(({ address, interface: position }) => `ips: ${address} is on interface ${position} of ${length}`);
}

function converted<T>(
  list: readonly T[],
  known: readonly T[] = [],
  write: (entry: T, version: Version) => unknown,
  version: Version,
): unknown[] {
  return list.map((entry) => (known.includes(entry) ? entry : write(entry, version)));
}

function writeInterface(entry: Interface, version: Version): unknown {
  if (isAtLeast(version, "1.1.0")) return entry;
  const { mtu, socketPath, pciID, ...rest } = entry;
  return rest;
}

function writeIp(entry: IpConfig & { readonly version?: unknown }, version: Version): unknown {
  const { version: family, ...rest } = entry;
  return isAtLeast(version, "1.0.0") ? rest : { version: isIpv6(entry.address) ? "6" : "4", ...rest };
}

function writeRoute(entry: CniRoute, version: Version): unknown {
  if (isAtLeast(version, "1.1.0")) return entry;
  const { mtu, advmss, priority, table, scope, ...rest } = entry;
  return rest;
}

function toFamilies({ interfaces, ips = [], routes = [], ...rest }: Result): JsonObject {
  const family = (ipv6: boolean): JsonObject | undefined => {
    const first = ips.find(({ address }) => isIpv6(address) === ipv6);
    if (first === undefined) return undefined;
    const { address, interface: _, version, ...others } = first as IpConfig & { readonly version?: unknown };
    const own = routes.filter(({ dst }) => isIpv6(dst) === ipv6);
    return {
      ip: address,
      ...others,
      ...(own.length > 0 && { routes: own.map((route) => writeRoute(route, "0.2.0")) }),
    };
  };
  const [ip4, ip6] = [family(false), family(true)];
  return { ...(ip4 !== undefined && { ip4 }), ...(ip6 !== undefined && { ip6 }), ...rest };
}

function isIpv6(address: string): boolean {
  return address.includes(":");
}
