// vmnet: shows how VMs are connected on this node, and what is wrong.
import { install } from "../../lib/command/install.ts";
import { serveCommands } from "../../lib/command/serve.ts";
import { version } from "../../lib/command/version.ts";
import { surveyPod } from "../../lib/diagnosis/survey-pod.ts";
import { diagnoseWith } from "./diagnose.ts";

serveCommands(
  { name: "vmnet", about: "shows how VMs are connected to the networks of their pods, and what is wrong" },
  { commands: [diagnoseWith(surveyPod), install, version] },
);
