// planned: a plugin for tests, whose netconf says what to add to a pod.
import { serve } from "../../../lib/command/serve.ts";
import { planned } from "./plugin.ts";

serve(planned);
