// Serves kubelet's list of the devices allocated to each pod.
//
// It speaks gRPC on the socket to which Multus connects (k8s.io/kubelet, pkg/apis/podresources/v1).
import { once } from "node:events";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { createServer, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { dirname } from "node:path";
import { field } from "./kube-api-protobuf.ts";
import type { Scope } from "./scope.ts";

/**
 * The only socket to which Multus connects. A test that needs it must have its own machine or mount
 * namespace.
 */
export const kubeletSocket = "/var/lib/kubelet/pod-resources/kubelet.sock";

/** The devices of a pod: device IDs by resource name, such as `example.com/sriov_vfio`. */
export interface PodDevices {
  readonly name: string;
  readonly namespace: string;
  readonly devices: Readonly<Record<string, readonly string[]>>;
}

/**
 * Starts the server on {@link kubeletSocket}. It ends with `scope`.
 *
 * Returns the list of requests, such as `/v1.PodResourcesLister/List`, which grows with every
 * request. @throws if the socket exists.
 */
export async function startKubelet(scope: Scope, pods: readonly PodDevices[]): Promise<readonly string[]> {
  if (existsSync(kubeletSocket)) throw new Error(`${kubeletSocket}: is there, and is not ours`);
  mkdirSync(dirname(kubeletSocket), { recursive: true });
  const requests: string[] = [];
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer()
    .on("session", (session) => sessions.add(session))
    .on("stream", (stream: ServerHttp2Stream, headers) => {
      requests.push(String(headers[":path"]));
      respond(stream, headers[":path"] === "/v1.PodResourcesLister/List" ? listResponse(pods) : undefined);
    });
  server.listen(kubeletSocket);
  await once(server, "listening");
  // A server that was not closed must not keep the test process running.
  server.unref();
  scope.teardown(() => {
    for (const session of sessions) session.destroy();
    server.close();
    rmSync(kubeletSocket, { force: true });
  });
  return requests;
}

/** Encodes a ListPodResourcesResponse: pods with their containers, and each container's devices. */
function listResponse(pods: readonly PodDevices[]): Buffer {
  const all = pods.map(({ name, namespace, devices }) => {
    const given = Object.entries(devices).map(([resource, ids]) =>
      field(2, field(1, resource), ...ids.map((id) => field(2, id))),
    );
    return field(1, field(1, name), field(2, namespace), field(3, field(1, "compute"), ...given));
  });
  return Buffer.concat(all);
}

/**
 * Sends a gRPC message: a byte 0 ("not compressed"), the length, the message. Without a message,
 * sends the status UNIMPLEMENTED.
 */
function respond(stream: ServerHttp2Stream, message: Buffer | undefined): void {
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": message ? "0" : "12" }));
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  const length = Buffer.alloc(5);
  length.writeUInt32BE(message?.length ?? 0, 1);
  stream.end(message && Buffer.concat([length, message]));
}
