// Facts travel as data. They become text at the edge: in a CNI error, or on a terminal.

/** One thing that is so, and should not be. */
export interface Fact {
  /** What it is about: a link, a sysctl, a device, a file. */
  readonly subject: string;
  /** What is so, such as `owner is 0, not 107`. */
  readonly fact: string;
}

/** An error that says one fact. */
export class FactError extends Error implements Fact {
  override readonly name: string = "FactError";
  readonly subject: string;
  readonly fact: string;

  constructor(subject: string, fact: string, options?: ErrorOptions) {
    super(factText({ subject, fact }), options);
    this.subject = subject;
    this.fact = fact;
  }
}

/** Such as `tap0: owner is 0, not 107`. */
export function factText({ subject, fact }: Fact): string {
  return `${subject}: ${fact}`;
}
