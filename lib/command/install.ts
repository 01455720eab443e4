// `install`: copies this executable and those next to it to a node's CNI directory, or removes them
// from there.
import { printable } from "../printable.ts";
import { UsageError } from "./arguments.ts";
import { type Command, exit, type Invocation } from "./command.ts";
import { Installation, type InstallOutcome } from "./installation.ts";

/** How often a staying `install` checks the directory, in milliseconds. */
const interval = 60_000;

export const install: Command = {
  name: "install",
  usage: "--to DIR [--uninstall] [--stay]",
  about: "copies this plugin and those next to it into a node's CNI directory",
  options: [
    { name: "to", value: "DIR", about: "the node's CNI directory, such as /opt/cni/bin" },
    { name: "uninstall", about: "remove them instead" },
    { name: "stay", about: "check them every minute, and repair them, until SIGTERM" },
  ],
  more: [
    "Each executable is replaced at once, also while a runtime runs the old one. Executables that are the same already,",
    "and files of other projects, are left alone.",
  ],

  run(invocation) {
    const { given, print, terminal } = invocation;
    const installation = new Installation(terminal, directoryOf(invocation));
    const stay = given.flags.has("stay");
    const pass = (): readonly InstallOutcome[] =>
      given.flags.has("uninstall") ? installation.remove() : installation.put();
    const tell = (outcomes: readonly InstallOutcome[]): void => {
      for (const { name, what } of outcomes) print(printable(`${name}: ${what}`));
    };
    // The kernel sends the first process of a container only those signals that it handles, even
    // while it copies.
    if (stay) terminal.awaitEnd(0);
    tell(pass());
    while (stay && !terminal.awaitEnd(interval)) tell(pass().filter(({ changed }) => changed));
    return exit.healthy;
  },
};

/** Returns the directory that the arguments name. */
function directoryOf({ given }: Invocation): string {
  const { to } = given.values;
  if (to === undefined)
    throw new UsageError("--to: is missing, expected the node's CNI directory, such as /opt/cni/bin");
  if (!to.startsWith("/")) throw new UsageError(`--to ${to}: is not absolute, expected a path such as /opt/cni/bin`);
  return to;
}
