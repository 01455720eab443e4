// A target that never ends: to see that this is noticed.

export function fuzz(data: Buffer): void {
  while (data[0] === 7) data[1] = 0;
}
