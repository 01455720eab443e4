// Kubelet's answer to the question which pod was given which devices: gRPC on the socket where
// Multus asks (k8s.io/kubelet, pkg/apis/podresources/v1).
import { once } from "node:events";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { createServer, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { dirname } from "node:path";
import { field } from "./kube-api-protobuf.ts";
import type { Scope } from "./scope.ts";

/**
 * Where Multus looks, and nowhere else: a test that wants it needs a machine, or a mount namespace,
 * of its own.
 */
export const kubeletSocket = "/var/lib/kubelet/pod-resources/kubelet.sock";

/** The devices of a pod: their IDs by their resource's name, such as `example.com/sriov_vfio`. */
export interface PodDevices {
  readonly name: string;
  readonly namespace: string;
  readonly devices: Readonly<Record<string, readonly string[]>>;
}

/**
 * Starts one on {@link kubeletSocket}, gone when `scope` ends. Throws where there is one already.
 * Gives the requests so far, such as `/v1.PodResourcesLister/List`.
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
  // Whatever fails, it keeps no test from ending.
  server.unref();
  scope.teardown(() => {
    for (const session of sessions) session.destroy();
    server.close();
    rmSync(kubeletSocket, { force: true });
  });
  return requests;
}

/** ListPodResourcesResponse: pods with their containers, each with its devices. */
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
 * A message after a byte that says it is not compressed, and its length; UNIMPLEMENTED without one.
 */
function respond(stream: ServerHttp2Stream, message: Buffer | undefined): void {
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": message ? "0" : "12" }));
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  const length = Buffer.alloc(5);
  length.writeUInt32BE(message?.length ?? 0, 1);
  stream.end(message && Buffer.concat([length, message]));
}
