// A pod's links drawn for a terminal: who hangs on whom, and what each link is.
import { ipShow, type ShownAddress, type ShownLink } from "../test/harness/ip.ts";
import type { Namespace } from "../test/harness/namespaces.ts";

type Pictured = ShownLink & { readonly addr_info: readonly ShownAddress[] };

/** The picture, as lines. Colours where `colours` is true. */
export async function picture(namespace: Namespace, colours: boolean): Promise<string[]> {
  const shown = await ipShow<Pictured>(namespace, "address show");
  const links = shown.filter(({ flags }) => !flags.includes("LOOPBACK"));
  const rows = links.map(cells);
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]!.length))) ?? [];
  return [
    ...chains(links),
    "",
    ...rows.map((row, position) => {
      const text = row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd();
      const isDown = !links[position]!.flags.includes("UP");
      return colours ? `\u001b[${isDown ? 2 : 1}m${text}\u001b[0m` : text;
    }),
  ];
}

/** `network ─── eth0-nic ─── k6t-eth0 ─── tap0 ─── guest` for each bridge, and `network ─── eth0` where there is none. */
function chains(links: readonly Pictured[]): string[] {
  const join = (...names: readonly string[]): string => names.join(" ─── ");
  const bridges = links.filter(({ ifname }) => links.some(({ master }) => master === ifname));
  if (bridges.length === 0) return links.map(({ ifname }) => join("network", ifname));
  return bridges.map(({ ifname }) => {
    const ports = links.filter(({ master }) => master === ifname);
    const taps = ports.filter((port) => kindOf(port) === "tap");
    const nics = ports.filter((port) => kindOf(port) !== "tap");
    return join("network", ...nics.map((nic) => nic.ifname), ifname, ...taps.map((tap) => tap.ifname), "guest");
  });
}

function cells(link: Pictured): string[] {
  return [
    link.ifname,
    kindOf(link),
    link.flags.includes("UP") ? "up" : "down",
    link.address,
    `mtu ${link.mtu}`,
    [...addressesOf(link), ...facts(link)].join(", "),
  ];
}

function kindOf({ linkinfo }: ShownLink): string {
  const kind = linkinfo?.info_kind ?? "device";
  return kind === "tun" ? String(linkinfo?.info_data?.["type"]) : kind;
}

function addressesOf({ addr_info }: Pictured): string[] {
  return addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`);
}

function facts({ master, linkinfo }: ShownLink): string[] {
  const { info_data: own = {}, info_slave_data: port = {} } = linkinfo ?? {};
  return [
    ...(master === undefined ? [] : [`port of ${master}`]),
    ...(port["learning"] === false ? ["learning off"] : []),
    ...(own["user"] === undefined ? [] : [`owner ${own["user"]}, group ${own["group"]}`]),
  ];
}
