// bridge-binding: attaches a VM's NIC to a pod's network by an in-pod bridge and a tap.
import { serve } from "../../lib/command/serve.ts";
import { bridgeBinding } from "./plugin.ts";

serve(bridgeBinding);
