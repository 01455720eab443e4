// A target with a fault behind two decisions, both of which nobody meets by chance at once: to see
// that fuzzing finds its way.

export function fuzz(data: Buffer): void {
  if (data[0] !== 0x43) return;
  if (data[1] !== 0x4e) return;
  throw new Error("found");
}
