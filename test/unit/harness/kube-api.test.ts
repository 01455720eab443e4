import t from "tap";
import { startKubeApi } from "../../harness/kube-api.ts";
import { field, fields, writtenMetadata } from "../../harness/kube-api-protobuf.ts";
import { definition, launcherPod } from "../../harness/multus-manifests.ts";

t.test("fields with a length are read back as written", async (t) => {
  for (const length of [0, 1, 127, 128, 300, 70_000]) {
    const message = Buffer.concat([field(1, "x"), field(12, "y".repeat(length)), field(200, "z"), field(12, "again")]);
    t.same(fields(message, 12).map(String), ["y".repeat(length), "again"]);
    t.same(fields(message, 200).map(String), ["z"]);
    t.same(fields(message, 3), []);
  }
});

t.test("fields with numbers are skipped", async (t) => {
  const varint = Buffer.from("38ff01", "hex");
  const eight = Buffer.from("190000000000000012", "hex");
  const four = Buffer.from("2500000012", "hex");
  t.same(fields(Buffer.concat([varint, eight, four, field(2, "found")]), 2).map(String), ["found"]);
});

t.test("a truncated message is refused", async (t) => {
  const message = field(12, "a".repeat(200));
  for (const length of [1, 2, 3, 100, message.length - 1])
    t.throws(() => fields(message.subarray(0, length), 12), /^protobuf message: ends within/);
  t.throws(() => fields(Buffer.from("0b", "hex"), 1), /wire type 3/);
});

/** A pod as a client writes it. */
function podBody(name: string, uid: string, annotations: Readonly<Record<string, string>>): Buffer {
  const pairs = Object.entries(annotations).map(([key, value]) => field(12, field(1, key), field(2, value)));
  const metadata = field(1, field(1, name), field(3, "vms"), field(5, uid), ...pairs);
  return Buffer.concat([Buffer.from("k8s\0"), field(1, field(1, "v1"), field(2, "Pod")), field(2, metadata)]);
}

t.test("an object's metadata is read, and another encoding refused", async (t) => {
  t.same(writtenMetadata(podBody("p", "u", { a: "1", "b/c": "" })), {
    name: "p",
    namespace: "vms",
    uid: "u",
    annotations: { a: "1", "b/c": "" },
  });
  t.throws(() => writtenMetadata(Buffer.from('{"kind":"Pod"}')), /^request body: begins with 7b226b69/);
});

t.test("the API serves what it has, takes a pod's status, and nothing else", async (t) => {
  const pod = launcherPod([{ name: "blue", nad: "vms/net-a" }]);
  const api = await startKubeApi(t, [pod, definition("vms/net-a", { type: "bridge" })]);
  const path = `${api.url}/api/v1/namespaces/vms/pods/${pod.metadata.name}`;
  const nad = `${api.url}/apis/k8s.cni.cncf.io/v1/namespaces/vms/network-attachment-definitions/net-a`;
  t.same(await (await fetch(path)).json(), pod);
  t.match(await (await fetch(`${nad}?timeout=1m`)).json(), { spec: { config: '{"type":"bridge"}' } });
  t.match(await (await fetch(`${nad}-not`)).json(), { kind: "Status", reason: "NotFound", code: 404 });

  const { name, uid } = pod.metadata;
  const put = async (url: string, body: Buffer): Promise<number> => (await fetch(url, { method: "PUT", body })).status;
  t.equal(await put(`${path}/status`, podBody(name, "another", {})), 409, "another pod of that name");
  t.equal(await put(path, podBody(name, uid!, {})), 405, "not the pod itself");
  t.equal(await put(`${path}/status`, Buffer.from("{}")), 500, "in an encoding that Multus does not use");
  t.same(api.annotations(pod), pod.metadata.annotations, "none of which changed anything");
  t.equal(await put(`${path}/status`, podBody(name, uid!, { told: "yes" })), 200);
  t.same(api.annotations(pod), { told: "yes" });

  api.remove(pod);
  t.equal((await fetch(path)).status, 404);
  t.equal(api.requests.length, 8);
  t.equal(api.requests[0], `GET /api/v1/namespaces/vms/pods/${name}`);
});
