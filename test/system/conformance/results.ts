// The schema of a result in each version of the specification (SPEC.md, section 5). An unknown or
// misplaced key is a fault.
import { isIP } from "node:net";
import * as z from "zod";

const ip = z.string().refine((text) => isIP(text) !== 0, "is no IP address");
const cidr = z.string().refine(isCidr, "is no address with a prefix length");
const mac = z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/);
const natural = z.int().nonnegative();

const dns = z.strictObject({
  nameservers: z.array(ip).optional(),
  domain: z.string().optional(),
  search: z.array(z.string()).optional(),
  options: z.array(z.string()).optional(),
});

const route = z.strictObject({ dst: cidr, gw: ip.optional() });
const newestRoute = route.extend({
  mtu: natural.optional(),
  advmss: natural.optional(),
  priority: natural.optional(),
  table: natural.optional(),
  scope: natural.optional(),
});

const interface_ = z.strictObject({ name: z.string().min(1), mac: mac.optional(), sandbox: z.string().optional() });
const newestInterface = interface_.extend({
  mtu: natural.optional(),
  socketPath: z.string().optional(),
  pciID: z.string().optional(),
});

const address = z.strictObject({ address: cidr, gateway: ip.optional(), interface: natural.optional() });
const olderAddress = address
  .extend({ version: z.enum(["4", "6"]) })
  .refine((one) => one.version === familyOf(one.address), "version is not the address's");

/** 0.1.0 and 0.2.0. */
function families(cniVersion: string) {
  const family = (version: string) =>
    z
      .strictObject({ ip: cidr, gateway: ip.optional(), routes: z.array(route).optional() })
      .refine(({ ip, routes = [] }) => [ip, ...routes.map(({ dst }) => dst)].every((one) => familyOf(one) === version));
  return z.strictObject({
    cniVersion: z.literal(cniVersion),
    ip4: family("4").optional(),
    ip6: family("6").optional(),
    dns: dns.optional(),
  });
}

/** From 0.3.0 on. */
function lists(cniVersion: string, of: { readonly interface: z.ZodType; readonly ip: z.ZodType; route: z.ZodType }) {
  return z
    .strictObject({
      cniVersion: z.literal(cniVersion),
      interfaces: z.array(of.interface).optional(),
      ips: z.array(of.ip as typeof address).optional(),
      routes: z.array(of.route).optional(),
      dns: dns.optional(),
    })
    .refine(
      ({ interfaces = [], ips = [] }) => ips.every((one) => (one.interface ?? -1) < interfaces.length),
      "ips: interface is the place of none of interfaces",
    );
}

const older = { interface: interface_, ip: olderAddress, route };

const schemas: Readonly<Record<string, z.ZodType>> = {
  "0.1.0": families("0.1.0"),
  "0.2.0": families("0.2.0"),
  "0.3.0": lists("0.3.0", older),
  "0.3.1": lists("0.3.1", older),
  "0.4.0": lists("0.4.0", older),
  "1.0.0": lists("1.0.0", { interface: interface_, ip: address, route }),
  "1.1.0": lists("1.1.0", { interface: newestInterface, ip: address, route: newestRoute }),
};

/**
 * The faults of a result in that version, such as `ips.0: Unrecognized key: "version"`. Empty if
 * the result is valid.
 */
export function faultsOfResult(result: unknown, version: string): string[] {
  const schema = schemas[version];
  if (schema === undefined) return [`${version}: unknown version`];
  return faultsOf(schema, result);
}

/** The answer of VERSION. */
export const versionResult = z.strictObject({
  cniVersion: z.string().min(1),
  supportedVersions: z.array(z.string()).min(1),
});

/** An error of any version. Go loses the whole message if `code` is not a natural number. */
export const error = z.strictObject({
  cniVersion: z.enum(Object.keys(schemas)),
  code: natural,
  msg: z.string().min(1),
  details: z.string().min(1).optional(),
});

/** The faults as text. */
export function faultsOf(schema: z.ZodType, value: unknown): string[] {
  const { error } = schema.safeParse(value);
  return (error?.issues ?? []).map(({ path, message }) => [...path.map(String), message].join(": "));
}

function isCidr(text: string): boolean {
  const [address, length, ...rest] = text.split("/");
  const most = { 0: -1, 4: 32, 6: 128 }[isIP(address!)]!;
  return rest.length === 0 && /^\d+$/.test(length ?? "") && Number(length) <= most;
}

function familyOf(text: string): string {
  return text.includes(":") ? "6" : "4";
}
