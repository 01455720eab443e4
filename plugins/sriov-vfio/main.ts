// sriov-vfio: configures an SR-IOV virtual function and hands it to a VM by VFIO.
import { serve } from "../../lib/command/serve.ts";
import { sriovVfio } from "./plugin.ts";

serve(sriovVfio);
