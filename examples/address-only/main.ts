// address-only: reserves an address for a guest that configures itself, and changes no link.
import { serve } from "../../lib/command/serve.ts";
import { addressOnly } from "./plugin.ts";

serve(addressOnly);
