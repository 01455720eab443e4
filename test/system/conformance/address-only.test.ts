import t from "tap";
import { conform } from "./conform.ts";
import { examples } from "./subjects.ts";

await conform(t, await examples["address-only"]!(t));
