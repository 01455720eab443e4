// `install`: puts this executable and those beside it into a node's CNI directory, or takes them away.
import { type Command, UsageError } from "./command.ts";
import { Installation, type Outcome } from "./installation.ts";

/** How often what is there is looked at, in milliseconds, by one that stays. */
const interval = 60_000;

export const install: Command = {
  name: "install",
  usage: "--to DIR [--uninstall] [--stay]",
  about:
    "copies this plugin and those beside it into a node's CNI directory, or removes them; with --stay until SIGTERM",

  run({ args, print, system }) {
    const { to, uninstall, stay } = options(args);
    const installation = new Installation(system, to);
    const pass = (): readonly Outcome[] => (uninstall ? installation.remove() : installation.put());
    const tell = (outcomes: readonly Outcome[]): void => {
      for (const { name, what } of outcomes) print(`${name}: ${what}`);
    };
    // A container's first process is never sent a signal that it does not ask for: not even while it copies.
    if (stay) system.awaitEnd(0);
    tell(pass());
    while (stay && !system.awaitEnd(interval)) tell(pass().filter(({ changed }) => changed));
    return 0;
  },
};

interface Options {
  readonly to: string;
  readonly uninstall: boolean;
  readonly stay: boolean;
}

function options(args: readonly string[]): Options {
  const flags = new Set<string>();
  let to: string | undefined;
  for (let index = 0; index < args.length; index++) {
    const arg = args[index]!;
    const [, inline] = /^--to=(.*)$/.exec(arg) ?? [];
    if (arg === "--uninstall" || arg === "--stay") flags.add(arg);
    else if (arg !== "--to" && inline === undefined) throw new UsageError(`${arg}: is not expected`);
    else if (to !== undefined) throw new UsageError("--to: is there twice");
    else to = inline ?? args[++index] ?? "";
  }
  if (to === undefined)
    throw new UsageError("--to: is missing, expected the node's CNI directory, such as /opt/cni/bin");
  if (!to.startsWith("/")) throw new UsageError(`--to ${to}: is not absolute, expected a path such as /opt/cni/bin`);
  return { to, uninstall: flags.has("--uninstall"), stay: flags.has("--stay") };
}
