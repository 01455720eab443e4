// The release that this executable is part of.

/** The build inserts it. */
declare const __VERSION__: string;

/** Such as `0.1.0`. `unbuilt` if a test runs the source. */
export const release: string = typeof __VERSION__ === "string" ? __VERSION__ : "unbuilt";
