import t from "tap";
import { conform } from "./conform.ts";
import { plugins } from "./subjects.ts";

await conform(t, await plugins["bridge-binding"]!(t));
