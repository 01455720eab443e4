// The outcome of comparing an attachment with its record.
import type { Difference } from "./differences.ts";
import type { Attachment } from "./entry.ts";
import { noRecord, unfinishedAdd } from "./ledger.ts";

/** The outcome of a comparison. */
export type Examined =
  | { readonly is: "compared"; readonly differences: Difference[] }
  | { readonly is: "unrecorded" }
  | { readonly is: "pending" }
  /** The record belongs to another namespace, which was at `path`. */
  | { readonly is: "elsewhere"; readonly path: string };

/** Returns the differences. An attachment that was not compared is one difference. */
export function differencesIn(examined: Examined, attachment: Attachment, netns: string): Difference[] {
  switch (examined.is) {
    case "compared":
      return examined.differences;
    case "unrecorded":
      return [noRecord(attachment)];
    case "pending":
      return [unfinishedAdd(attachment)];
    case "elsewhere":
      return [{ subject: netns, fact: `is another namespace than the one at ${examined.path} that ADD prepared` }];
  }
}
