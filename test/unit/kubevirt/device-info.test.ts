import t from "tap";
import { deviceInfo, deviceInfoFile } from "../../../lib/kubevirt/device-info.ts";

const path = "/run/k8s.cni.cncf.io/devinfo/cni/fast.json";
const device = { address: "0000:c4:03.4", pf: "0000:c4:00.0" };

t.test("a missing file is written in KubeVirt's form", async (t) => {
  const text = deviceInfo({ path }, device);
  t.strictSame(JSON.parse(text), {
    type: "pci",
    version: "1.1.0",
    pci: { "pci-address": "0000:c4:03.4", "pf-pci-address": "0000:c4:00.0" },
  });
  t.match(text, /\}\n$/);
});

t.test("the device plugin's members are kept, and known ones are corrected", async (t) => {
  const present = JSON.stringify({
    type: "pci",
    version: "1.0.0",
    pci: { "pci-address": "0000:af:06.0", "rdma-device": "mlx5_3" },
    "vendor.example/note": [1],
  });
  t.strictSame(JSON.parse(deviceInfo({ path, present }, device)), {
    type: "pci",
    version: "1.0.0",
    pci: { "pci-address": "0000:c4:03.4", "pf-pci-address": "0000:c4:00.0", "rdma-device": "mlx5_3" },
    "vendor.example/note": [1],
  });
});

t.test("writing twice yields the same text", async (t) => {
  const once = deviceInfo({ path }, device);
  t.equal(deviceInfo({ path, present: once }, device), once);
});

t.test("a file with other content is refused by its name", async (t) => {
  for (const present of [
    "",
    "root:x:0:0::/root:/bin/sh\n",
    "{",
    "[]",
    "null",
    "7",
    '"pci"',
    "{}",
    '{"type":"vdpa"}',
    '{"type":["pci"]}',
  ])
    t.throws(
      () => deviceInfo({ path, present }, device),
      {
        message: `${path}: is there, and is no information about a PCI device`,
      },
      present,
    );
});

t.test("a member that is not an object is replaced", async (t) => {
  for (const pci of [null, "0000:c4:03.4", []])
    t.match(JSON.parse(deviceInfo({ path, present: JSON.stringify({ type: "pci", pci }) }, device)).pci, {
      "pci-address": "0000:c4:03.4",
    });
});

t.test("the file is at CNIDeviceInfoFile if that is set", async (t) => {
  t.equal(deviceInfoFile({ runtimeConfig: { CNIDeviceInfoFile: path } }), path);
  for (const runtimeConfig of [undefined, null, [], {}, { CNIDeviceInfoFile: "" }, { CNIDeviceInfoFile: 7 }])
    t.equal(deviceInfoFile(runtimeConfig === undefined ? {} : { runtimeConfig }), undefined);
});
