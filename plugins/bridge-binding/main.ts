// bridge-binding: hangs a VM's NIC on a pod's network by way of an in-pod bridge and a tap.
import { serve } from "../../lib/command/serve.ts";
import { bridgeBinding } from "./plugin.ts";

serve(bridgeBinding);
