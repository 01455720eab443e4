// Reads a pod and changes nothing: its namespace, its records, its VFs, and the processes that have
// its taps open.
import * as host from "host";
import { isNodes } from "../cni/netns.ts";
import { codeOf, ignoring, isErrno } from "../errno.ts";
import { type Fact, FactError } from "../fact.ts";
import { identityHere } from "../kernel/find-netns.ts";
import { netnsLock, type Release, takeLock } from "../kernel/locks.ts";
import { observeLinks } from "../kernel/observe.ts";
import { sharedDirectory } from "../kernel/roots.ts";
import { readSysctl } from "../kernel/sysctl.ts";
import type { Netlink } from "../netlink/client.ts";
import { address, addressFlags } from "../netlink/route/address.ts";
import { link } from "../netlink/route/link.ts";
import { linkExtras, linkFlags } from "../netlink/route/link-header.ts";
import { forwarding, neighborStates } from "../netlink/route/neighbor.ts";
import { openRtnetlink } from "../netlink/socket.ts";
import type { Allocation } from "../plan/allocations.ts";
import { type Change, scope } from "../plan/change.ts";
import type { DeviceChange } from "../plan/device.ts";
import { isSameIdentity } from "../plan/entry.ts";
import { recordsOf } from "../plugin/node.ts";
import type { PodSurvey, SurveyedLink, SurveyedRecord } from "./survey.ts";
import { surveyVf } from "./survey-vf.ts";

/**
 * How long to wait for a call that holds the pod, in milliseconds: a survey during a call may show
 * half of a change.
 */
const lockTimeoutMs = 1_000;

/** The sysctls of every survey. */
const sysctls = [
  "net.ipv4.conf.all.arp_ignore",
  "net.ipv4.ip_forward",
  "net.ipv6.conf.all.forwarding",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ping_group_range",
];

type AnyRecord = SurveyedRecord<Change | DeviceChange>;

/**
 * Surveys the pod in the network namespace at the path. `directories` are journals; a missing one
 * is empty.
 *
 * Throws an Error that says why the pod cannot be surveyed: no namespace, the node's own namespace,
 * no right to enter it.
 */
export function surveyPod(path: string, directories: readonly string[]): PodSurvey {
  const survey = lookInside(path, directories);
  // The node's namespace has the VFs' settings, not the pod's.
  return {
    ...survey,
    vfs: survey.allocations.flatMap(({ here, entry }) => (here ? [surveyVf(entry as Allocation)] : [])),
  };
}

/** Surveys the namespace, and the records of it. */
function lookInside(path: string, directories: readonly string[]): PodSurvey {
  const netns = opened(path);
  const release = lockIfFree(netns);
  try {
    const { records, unreadable } = recordsIn(directories);
    return host.inNetns(netns, () => {
      const { rtnl, cookie } = openRtnetlink();
      try {
        const here = identityHere(cookie);
        const { device, inode } = here;
        const mine = records
          .map((record): AnyRecord => ({ ...record, here: isSameIdentity(record.entry.netns, here) }))
          .filter(({ entry, here }) => here || entry.netns.path === path);
        const ofPod = mine.filter((record): record is SurveyedRecord => !isAllocation(record));
        const links = seenLinks(rtnl);
        const names = new Map(links.map(({ index, name }) => [index, name]));
        return {
          netns: { path, inode },
          busy: release === undefined,
          links,
          sysctls: seenSysctls([...sysctls, ...ofPod.flatMap(sysctlsOf)]),
          stations: rtnl
            .dump(forwarding)
            .filter(({ mac, master, state }) => mac && master && !(state & staticStates))
            .map(({ mac, index }) => ({ mac: mac!, port: names.get(index) ?? "" })),
          records: ofPod,
          allocations: mine.filter(isAllocation),
          unreadable,
          vfs: [],
          holders: tapHolders(device, inode),
        };
      } finally {
        rtnl.close();
      }
    });
  } finally {
    release?.();
    host.close(netns);
  }
}

/**
 * The states of entries that a program added permanently: the bridge's own addresses, and
 * forwarding entries.
 */
const staticStates = neighborStates.permanent | neighborStates.noArp;

function opened(path: string): number {
  let netns: number;
  try {
    netns = host.openNetns(path);
  } catch (failure) {
    throw new Error(`${path}: ${reasons[codeOf(failure) ?? ""] ?? (failure as Error).message}`);
  }
  try {
    if (isNodes(host.stat(`/proc/self/fd/${netns}`), {}, host))
      throw new Error(`${path}: is the node's own network namespace, not a pod's`);
    host.inNetns(netns, () => undefined);
    return netns;
  } catch (failure) {
    host.close(netns);
    throw isErrno(failure, "EPERM") ? new Error(`${path}: ${refused}`) : failure;
  }
}

const missing = "is not there: no such network namespace or process";
const refused = "cannot be entered without root's rights (CAP_SYS_ADMIN); use sudo";
const other = "is no network namespace";
const reasons: Readonly<Record<string, string>> = {
  ENOENT: missing,
  ESRCH: missing,
  ENOTDIR: missing,
  EACCES: refused,
  EPERM: refused,
  EINVAL: other,
  ENXIO: other,
};

/** Undefined if another call holds the lock. */
function lockIfFree(netns: number): Release | undefined {
  // No plugin has run on this node.
  const shared = sharedDirectory();
  if (shared({ create: false }) === undefined) return () => undefined;
  const path = `/proc/self/fd/${netns}`;
  return ignoring(["ETIMEDOUT"], () => takeLock(netnsLock(host.stat(path).inode, path), lockTimeoutMs, shared));
}

function recordsIn(directories: readonly string[]): { records: AnyRecord[]; unreadable: Fact[] } {
  const records: AnyRecord[] = [];
  const unreadable: Fact[] = [];
  for (const directory of directories) {
    try {
      const take = (recorded: Omit<AnyRecord, "directory" | "here">) =>
        records.push({ ...recorded, directory, here: false });
      unreadable.push(
        ...recordsOf(directory)
          .each(take)
          .map((failure) => factOf(directory, failure)),
      );
    } catch (failure) {
      unreadable.push(factOf(directory, failure));
    }
  }
  return { records, unreadable };
}

function factOf(directory: string, failure: unknown): Fact {
  if (failure instanceof FactError) return { subject: failure.subject, fact: failure.fact };
  const { path = directory, message } = failure as host.HostError;
  return { subject: path, fact: message };
}

function isAllocation(record: AnyRecord): record is SurveyedRecord<DeviceChange> {
  return "device" in record.entry;
}

function sysctlsOf({ entry, here }: SurveyedRecord): string[] {
  return here ? [...scope(entry.changes).sysctls] : [];
}

function seenSysctls(keys: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    keys.flatMap((key) => {
      const value = readSysctl(key);
      return value === undefined ? [] : [[key, value]];
    }),
  );
}

function seenLinks(rtnl: Netlink): SurveyedLink[] {
  const messages = new Map(rtnl.dump(link, { extMask: linkExtras.skipStatistics }).map((one) => [one.index, one]));
  const duplicates = rtnl.dump(address).filter(({ flags }) => (flags & addressFlags.dadFailed) !== 0);
  return observeLinks(rtnl).map((seen): SurveyedLink => {
    const { flags = 0, carrier = false, info } = messages.get(seen.index!) ?? {};
    const tap = info?.kind === "tun" ? info.data : undefined;
    const port = info?.slaveKind === "bridge" ? info.slaveData : undefined;
    return {
      ...seen,
      carrier: carrier && (flags & linkFlags.up) !== 0,
      duplicates: duplicates.filter(({ index }) => index === seen.index).map((one) => one.local ?? one.address ?? ""),
      ...(info?.kind === "bridge" && { stp: info.data?.stp !== 0 }),
      ...(port?.state !== undefined && { portState: port.state }),
      ...(tap !== undefined && { persist: tap.persist === true, vnetHeader: tap.vnetHeader === true }),
      ...(tap?.queues !== undefined && { queues: tap.queues }),
    };
  });
}

/**
 * Returns the processes of the namespace that have a tap open: `iff` in the fdinfo of their
 * descriptors (drivers/net/tun.c, tun_chr_show_fdinfo).
 */
function tapHolders(device: number, inode: number): PodSurvey["holders"] {
  return host
    .readDirectory("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .flatMap((pid) => {
      try {
        const netns = host.stat(`/proc/${pid}/ns/net`);
        if (netns.inode !== inode || netns.device !== device) return [];
        const name = host.readFile(`/proc/${pid}/comm`).trim();
        return host.readDirectory(`/proc/${pid}/fd`).flatMap((fd) => {
          if (host.readLink(`/proc/${pid}/fd/${fd}`) !== "/dev/net/tun") return [];
          const tap = /^iff:\s*(\S+)/m.exec(host.readFile(`/proc/${pid}/fdinfo/${fd}`))?.[1];
          return tap === undefined ? [] : [{ name, pid: Number(pid), tap }];
        });
      } catch {
        // The process has ended, or closed its descriptors.
        return [];
      }
    });
}
