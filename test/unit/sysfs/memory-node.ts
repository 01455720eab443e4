// A fake of the host on a node in memory: files, locks, namespaces and rtnetlink, with PCI devices.
// A test can make a call fail, and can end the process at any call that changes something.
import { createHash } from "node:crypto";
import { ignoring } from "../../../lib/errno.ts";
import { capture } from "./captures.ts";
import { type Entry, hostError } from "./memory-files.ts";
import { MemoryPci, untouched } from "./memory-pci.ts";
import { answerTo } from "./memory-rtnetlink.ts";

type Host = typeof import("host");
type Calls = Pick<
  Host,
  | "checkWritable"
  | "close"
  | "createFile"
  | "createLink"
  | "inNetns"
  | "lock"
  | "makeDirectory"
  | "monotonic"
  | "netlinkSocket"
  | "netnsCookie"
  | "openDirectory"
  | "openDirectoryIfThere"
  | "openNetns"
  | "random"
  | "readDirectory"
  | "readFile"
  | "readFileIfThere"
  | "readLink"
  | "readLinkIfThere"
  | "readOpenDirectory"
  | "receive"
  | "removeDirectory"
  | "rename"
  | "run"
  | "send"
  | "sha256"
  | "sleep"
  | "stat"
  | "statIfThere"
  | "unlink"
  | "unlinkIfThere"
  | "writeFile"
>;

/** The error that ends a killed process. Later calls change nothing. */
export class Killed extends Error {}

interface In {
  readonly in?: number;
}

interface Descriptor {
  readonly path: string;
  readonly answers: Uint8Array[];
  readonly isDirectory?: true;
  /** The namespace of the socket. */
  readonly netns?: string;
}

export class MemoryNode implements Calls {
  readonly pci = new MemoryPci();
  /** Namespaces by their paths. */
  readonly namespaces = new Map<string, { readonly inode: number; readonly cookie?: string }>();
  /** Modules that can be loaded, and the PCI driver that each brings. */
  readonly modules = new Map<string, string>();
  /** The calls that changed something, in order: `write /sys/…/driver_override vfio-pci`. */
  readonly deeds: string[] = [];
  /**
   * Called before each such call, with the number of such calls before it, failed ones included.
   * The call fails with what this throws.
   */
  before: ((deed: string, position: number) => void) | undefined;
  /** Called when the process sleeps, to change something meanwhile. */
  meanwhile: (() => void) | undefined;
  /** The errno that refuses a setting of a VF, by the setting's number in <linux/if_link.h>. */
  readonly refusals = new Map<number, number>();
  /** Whether the PF's driver refuses a MAC address of zeros, as qede does. */
  isMacForEver = false;
  /** Whether a PF's link is up. */
  readonly down = new Set<string>();
  #descriptors = new Map<number, Descriptor>();
  #next = 10;
  #time = 1000;
  #netns: string | undefined;
  #isKilled = false;
  #attempts = 0;

  /** Starts a new process, without the descriptors and locks of the old one. */
  restart(): void {
    this.#descriptors = new Map();
    this.#netns = undefined;
    this.#isKilled = false;
    this.before = undefined;
    this.#attempts = 0;
  }

  /**
   * Ends the process before the call with this number among those that change something. Returns
   * whether the process reached it.
   */
  killedAt(position: number, work: () => void): boolean {
    this.restart();
    this.before = (_, at) => {
      if (at === position) this.#isKilled = true;
    };
    try {
      work();
      return false;
    } catch (failure) {
      if (!this.#isKilled) throw failure;
      return true;
    } finally {
      this.restart();
    }
  }

  #alive(): void {
    if (this.#isKilled) throw new Killed("killed");
  }

  #deed(...words: readonly string[]): void {
    this.#alive();
    const deed = words.join(" ").replaceAll("\n", "\\n");
    this.before?.(deed, this.#attempts++);
    this.#alive();
    this.deeds.push(deed);
  }

  /** The number of open descriptors, without directories: a journal keeps its directory open. */
  get open(): number {
    return [...this.#descriptors.values()].filter(({ isDirectory }) => isDirectory !== true).length;
  }

  // ---- files

  stat = (name: string, { follow = true, ...options }: In & { follow?: boolean } = {}): ReturnType<Host["stat"]> => {
    this.#alive();
    const path = this.#at(name, options);
    // The initial PID namespace, as on a node.
    if (path === "/proc/self/ns/pid")
      return { device: 4, inode: 0xeffffffc, kind: "file", mode: 0o444, uid: 0, changed: 0 };
    if (path === "/proc/thread-self/ns/net") {
      const inode = this.#netns === undefined ? 4026531840 : this.namespaces.get(this.#netns)!.inode;
      return { device: 4, inode, kind: "file", mode: 0o444, uid: 0, changed: 0 };
    }
    const { entry } = this.pci.files.find(path, { follow, syscall: "stat" });
    return { device: 1, inode: entry.inode, kind: entry.kind, mode: modeOf(entry), uid: 0, changed: 0 };
  };
  readFile = (path: string, { follow = true, ...options }: In & { follow?: boolean; limit?: number } = {}): string => {
    this.#alive();
    return this.pci.files.read(this.#at(path, options), { follow });
  };
  readDirectory = (path: string): string[] => {
    this.#alive();
    return this.pci.files.names(path);
  };
  readLink = (path: string, options: In = {}): string => {
    this.#alive();
    return this.pci.files.target(this.#at(path, options));
  };
  createLink = (name: string, target: string, options: In = {}): void => {
    const path = this.#at(name, options);
    this.#deed("symlink", path);
    if (this.pci.files.has(path)) throw hostError("EEXIST", "symlink", path);
    this.pci.files.link(this.pci.files.placeOf(path), target);
  };
  checkWritable = (path: string): void => {
    this.pci.files.find(path);
  };
  writeFile = (path: string, text: string): void => {
    this.#deed("write", path, text);
    this.pci.write(path, text);
  };
  createFile = (name: string, text: string, options: In = {}): void => {
    const path = this.#at(name, options);
    this.#deed("create", path);
    const place = this.pci.files.placeOf(path);
    if (this.pci.files.has(path)) throw hostError("EEXIST", "open", path);
    this.pci.files.file(place, text, { mode: 0o600 });
  };
  rename = (old: string, name: string, options: In = {}): void => {
    const [from, to] = [this.#at(old, options), this.#at(name, options)];
    this.#deed("rename", from, to);
    const { path } = this.pci.files.find(from, { follow: false, syscall: "rename" });
    this.pci.files.move(path, this.pci.files.placeOf(to));
  };
  unlink = (name: string, options: In = {}): void => {
    const path = this.#at(name, options);
    // Removing a missing file changes nothing.
    const { path: real } = this.pci.files.find(path, { follow: false, syscall: "unlink" });
    this.#deed("unlink", path);
    this.pci.files.remove(real);
  };
  makeDirectory = (path: string): void => {
    this.#deed("mkdir", path);
    const place = this.pci.files.placeOf(path);
    if (this.pci.files.has(path)) throw hostError("EEXIST", "mkdir", path);
    this.pci.files.directory(place);
  };

  removeDirectory = (name: string, options: In): void => {
    const path = this.#at(name, options);
    if (this.pci.files.names(path).length > 0) throw hostError("ENOTEMPTY", "rmdir", path);
    this.#deed("rmdir", path);
    this.pci.files.remove(path);
  };
  openDirectory = (name: string, { create = false, ...options }: In & { create?: boolean } = {}): number => {
    this.#alive();
    const path = this.#at(name, options);
    if (!this.pci.files.has(path)) {
      if (!create) throw hostError("ENOENT", "open", path);
      for (let end = path.indexOf("/", 1); ; end = path.indexOf("/", end + 1)) {
        const parent = end < 0 ? path : path.slice(0, end);
        if (!this.pci.files.has(parent)) {
          this.#deed("mkdir", parent);
          this.pci.files.directory(this.pci.files.placeOf(parent));
        }
        if (end < 0) break;
      }
    }
    const { entry, path: real } = this.pci.files.find(path);
    if (entry.kind !== "directory") throw hostError("ENOTDIR", "open", path);
    return this.#opened({ path: real, answers: [], isDirectory: true });
  };
  statIfThere = ifThere(this.stat);
  readFileIfThere = ifThere(this.readFile);
  readLinkIfThere = ifThere(this.readLink);
  openDirectoryIfThere = ifThere(this.openDirectory);
  unlinkIfThere = ifThere(this.unlink);
  readOpenDirectory = (fd: number): string[] => {
    this.#alive();
    return this.pci.files.names(this.#descriptors.get(fd)!.path);
  };
  #at(name: string, { in: fd }: In): string {
    return fd === undefined ? name : `${this.#descriptors.get(fd)!.path}/${name}`;
  }

  close = (fd: number): void => {
    if (!this.#descriptors.delete(fd) && !this.#isKilled) throw hostError("EBADF", "close", `${fd}`);
  };
  lock = (name: string, timeout: number, options: { in?: number; at?: number } = {}): number => {
    this.#alive();
    const path = this.#at(name, options);
    if (options.at !== undefined) {
      const byte = `${path}:${options.at}`;
      if (![...this.#descriptors.values()].some((one) => one.path === byte))
        return this.#opened({ path: byte, answers: [] });
      this.#time += timeout;
      throw hostError("ETIMEDOUT", "fcntl", path);
    }
    const { path: real } = this.pci.files.find(path);
    const group = /^\/dev\/vfio\/(\d+)$/.exec(real)?.[1];
    const isOpen = [...this.#descriptors.values()].some((one) => one.path === real);
    if (group !== undefined && (isOpen || this.pci.holders.has(group))) throw hostError("EBUSY", "open", path);
    if (isOpen) {
      this.#time += timeout;
      throw hostError("ETIMEDOUT", "flock", path);
    }
    return this.#opened({ path: real, answers: [] });
  };

  #opened(descriptor: Descriptor): number {
    this.#descriptors.set(++this.#next, descriptor);
    return this.#next;
  }

  // ---- time and programs

  monotonic = (): number => ++this.#time;
  sleep = (milliseconds: number): void => {
    this.#alive();
    this.#time += milliseconds;
    this.meanwhile?.();
  };
  random = (): number => 4_000_000_000;
  sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
  run = (path: string, { args = [] }: { args?: readonly string[] }): ReturnType<Host["run"]> => {
    this.#deed("run", path, ...args);
    const driver = this.modules.get(args.at(-1) ?? "");
    if (driver !== undefined)
      for (const name of ["bind", "unbind"]) this.pci.files.file(`/sys/bus/pci/drivers/${driver}/${name}`, "");
    return { status: driver === undefined ? 1 : 0, stdout: "" };
  };

  // ---- namespaces and rtnetlink

  openNetns = (path: string): number => {
    this.#alive();
    if (path !== "/proc/thread-self/ns/net" && !this.namespaces.has(path)) throw hostError("ENOENT", "open", path);
    return this.#opened({ path, answers: [] });
  };
  inNetns = <T>(fd: number, callback: () => T): T => {
    const before = this.#netns;
    const { path } = this.#descriptors.get(fd)!;
    if (this.namespaces.has(path)) this.#netns = path;
    try {
      return callback();
    } finally {
      this.#netns = before;
    }
  };
  netlinkSocket = (): number => {
    this.#alive();
    return this.#opened({ path: "socket", answers: [], ...(this.#netns !== undefined && { netns: this.#netns }) });
  };
  netnsCookie = (socket: number): string => {
    const { netns } = this.#descriptors.get(socket)!;
    const cookie = netns === undefined ? "1" : this.namespaces.get(netns)!.cookie;
    if (cookie === undefined) throw hostError("ENOPROTOOPT", "getsockopt", "");
    return cookie;
  };
  send = (fd: number, datagram: Uint8Array): void => {
    this.#alive();
    const answer = answerTo(this, datagram, (deed) => this.#deed(deed));
    this.#descriptors.get(fd)!.answers.push(answer);
  };
  receive = (fd: number): Uint8Array => {
    this.#alive();
    const answer = this.#descriptors.get(fd)!.answers.shift();
    if (answer === undefined) throw hostError("EAGAIN", "recv", "");
    return answer;
  };

  // ---- for tests

  /**
   * Returns what DEL must restore: drivers, overrides, links' names, the administrator's settings,
   * and files except the journal.
   */
  snapshot(): object {
    const { files, vfs, links } = this.pci;
    const addresses = files.names("/sys/bus/pci/devices");
    return {
      devices: addresses.map((address) => [
        address,
        this.pci.driverOf(address),
        files.read(`/sys/bus/pci/devices/${address}/driver_override`),
      ]),
      links: links.map(({ name, device, netns }) => `${device} ${name} ${netns ?? ""}`).sort(),
      vfs: [...vfs].map(([pf, rows]) => [pf, rows.map((row) => (row.isAdministrative ? row : { ...row, mac: "" }))]),
      files: ["/dev", "/run"].flatMap((directory) =>
        files
          .below(directory)
          .flatMap(([path, entry]) =>
            entry.kind === "file" && !path.startsWith("/run/sriov-vfio/") ? [[path, entry.text]] : [],
          ),
      ),
    };
  }
}

/** Returns undefined instead of ENOENT. */
function ifThere<A extends unknown[], T>(call: (...args: A) => T): (...args: A) => T | undefined {
  return (...args) => ignoring(["ENOENT"], () => call(...args));
}

function modeOf(entry: Entry): number {
  if (entry.kind === "file") return entry.mode;
  return entry.kind === "directory" ? 0o700 : 0o777;
}

/** Returns the captured node: eth0 has three VFs on igbvf, each in an IOMMU group of its own. */
export function igbNode(): MemoryNode {
  const node = new MemoryNode();
  const { files, vfs, links } = node.pci;
  for (const [path, found] of Object.entries(capture.tree)) {
    if (typeof found === "string") files.file(path, found);
    else if ("link" in found) files.link(path, found.link);
    else if ("code" in found) files.file(path, "", found);
    else files.directory(path);
  }
  for (const pf of [capture.pf, capture.other]) vfs.set(pf, []);
  vfs.set(
    capture.pf,
    capture.vfs.map(() => untouched()),
  );
  for (const name of files.names("/sys/class/net")) {
    const read = (file: string): string => files.read(`/sys/class/net/${name}/${file}`).trim();
    const device = files.target(`/sys/class/net/${name}/device`).split("/").at(-1)!;
    links.push({ name, index: Number(read("ifindex")), device, mac: read("address"), up: true });
  }
  files.directory("/run");
  files.link("/var/run", "/run");
  files.directory("/run/kubevirt-cni-bindings");
  files.file("/proc/1/mountinfo", "21 1 0:19 / / rw - ext4 /dev/root rw\n");
  files.file("/proc/sys/kernel/random/uuid", "a1b2c3d4-e5f6-4789-8abc-def012345678\n");
  files.file("/usr/sbin/modprobe", "", { mode: 0o755 });
  node.namespaces.set("/run/netns/pod", { inode: 4026532001, cookie: "7" });
  return node;
}
