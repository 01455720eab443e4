// passt-binding: lets passt serve a VM's NIC, as user 107 without capabilities.
import { serve } from "../../lib/command/serve.ts";
import { passtBinding } from "./plugin.ts";

serve(passtBinding);
