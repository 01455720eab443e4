// Refuses a field of an object that a plan adds: the kernel would refuse, ignore or change it.
import { FactError } from "../fact.ts";
import { formatIp, networkOf, parseIp } from "../net/ip.ts";
import { families } from "../netlink/message.ts";

/** The fields of one object of a plan, which messages name. */
export class Fields {
  readonly #subject: string;
  readonly family: number;

  /** @param subject such as `eth0: route default via 10.0.0.1` */
  constructor(subject: string, family: number) {
    this.#subject = subject;
    this.family = family;
    this.oneOf("family", family, families.ipv4, families.ipv6);
  }

  get isIpv6(): boolean {
    return this.family === families.ipv6;
  }

  /** Throws a FactError that names the field. */
  refuse(field: string, value: unknown, expected: string): never {
    const shown = typeof value === "object" ? JSON.stringify(value) : `${value}`;
    throw new FactError(this.#subject, `${field} is ${value === undefined ? "missing" : shown}, expected ${expected}`);
  }

  oneOf(field: string, value: number, ...expected: readonly number[]): void {
    if (!expected.includes(value)) this.refuse(field, value, expected.join(" or "));
  }

  /** Allows 0 to `max`. */
  upTo(max: number, field: string, value: number | undefined): void {
    if (value !== undefined && !(value >= 0 && value <= max)) this.refuse(field, value, `0 to ${max}`);
  }

  /** Refuses fields that the kernel ignores here, or that no plan can compare. */
  without(values: Readonly<Record<string, unknown>>): void {
    for (const [field, value] of Object.entries(values))
      if (value !== undefined) this.refuse(field, value, "no such field here");
  }

  /** Returns an address of the object's family in the kernel's spelling. */
  ip(field: string, text: string | undefined, family = this.family): string {
    const bytes = text === undefined ? undefined : parseIp(text);
    const isIpv6 = family === families.ipv6;
    if (bytes?.length !== (isIpv6 ? 16 : 4)) return this.refuse(field, text, `an ${isIpv6 ? "IPv6" : "IPv4"} address`);
    return formatIp(bytes);
  }

  /** The same. Undefined for an absent address, and for one that is all zeros. */
  someIp(field: string, text: string | undefined): string | undefined {
    const found = text === undefined ? undefined : this.ip(field, text);
    return found === "::" || found === "0.0.0.0" ? undefined : found;
  }

  /** Returns a prefix's address. Undefined for the length 0, as the kernel reports it. */
  prefix(field: string, text: string | undefined, length: number): string | undefined {
    this.upTo(this.isIpv6 ? 128 : 32, `${field}Length`, length);
    if (length === 0) {
      if (this.someIp(field, text) !== undefined) this.refuse(field, text, "no address, because its length is 0");
      return undefined;
    }
    const found = this.ip(field, text);
    const network = networkOf(found, length);
    // ip6_route_info_create clears the host's bits, fib_valid_key_len refuses them.
    if (network !== found && !this.isIpv6) this.refuse(field, text, network);
    return network;
  }
}
