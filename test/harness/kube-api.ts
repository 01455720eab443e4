// Serves the part of a cluster's API that Multus uses.
//
// It serves objects over HTTP, stores what Multus writes into a pod's status, and records all
// requests.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { buffer } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { writtenMetadata } from "./kube-api-protobuf.ts";
import { type Namespace, within } from "./namespaces.ts";
import type { Scope } from "./scope.ts";

/** A pod or a NetworkAttachmentDefinition, in the form of a manifest. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: "Pod" | "NetworkAttachmentDefinition";
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: object;
}

export interface KubeApi {
  /**
   * Such as `http://127.0.0.1:40123`, valid in the network namespace that the API was started for.
   */
  readonly url: string;
  /** All requests so far, such as `GET /api/v1/namespaces/vms/pods/virt-launcher-blue`. */
  readonly requests: readonly string[];
  /** Adds an object, or replaces the object of that name. */
  put(object: KubeObject): void;
  /** Removes an object, as `kubectl delete` does. */
  remove(object: KubeObject): void;
  /** The pod's current annotations. */
  annotations(pod: KubeObject): Readonly<Record<string, string>>;
}

const plurals = { Pod: "pods", NetworkAttachmentDefinition: "network-attachment-definitions" };

/**
 * Starts an API with these objects.
 *
 * It is reachable from `namespace`, where loopback must be up. Default: this process's network
 * namespace. The API ends with `scope`.
 */
export async function startKubeApi(
  scope: Scope,
  objects: readonly KubeObject[],
  namespace?: Namespace,
): Promise<KubeApi> {
  const requests: string[] = [];
  const stored = new Map(objects.map((object) => [pathOf(object), object]));
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    answer(stored, request).then(
      ([status, object]) => reply(response, status, object),
      (failure: Error) => reply(response, 500, statusObject(500, "InternalError", failure.message)),
    );
  });
  // A server that was not closed must not keep the test process running.
  server.unref();
  scope.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${await (namespace ? listenIn(scope, server, namespace) : listen(server))}`,
    requests,
    put: (object) => stored.set(pathOf(object), object),
    remove: (object) => stored.delete(pathOf(object)),
    annotations: (pod) => stored.get(pathOf(pod))?.metadata.annotations ?? {},
  };
}

function pathOf({ apiVersion, kind, metadata: { namespace, name } }: KubeObject): string {
  return `/${apiVersion.includes("/") ? "apis" : "api"}/${apiVersion}/namespaces/${namespace}/${plurals[kind]}/${name}`;
}

type Answer = readonly [status: number, object: object];

async function answer(stored: Map<string, KubeObject>, request: IncomingMessage): Promise<Answer> {
  const path = (request.url ?? "").replace(/\?.*/, "");
  const body = await buffer(request);
  const status = path.endsWith("/status");
  const object = stored.get(status ? path.slice(0, -"/status".length) : path);
  if (request.method === "POST" && path.endsWith("/events")) return [201, { apiVersion: "v1", kind: "Event" }];
  if (object === undefined) return [404, statusObject(404, "NotFound", `${path} not found`)];
  if (request.method === "GET" && !status) return [200, object];
  if (request.method !== "PUT" || !status || object.kind !== "Pod")
    return [405, statusObject(405, "MethodNotAllowed", `${request.method} ${path}: is not taken`)];
  const { name, uid, annotations } = writtenMetadata(body);
  const { metadata } = object;
  if (name !== metadata.name || uid !== (metadata.uid ?? ""))
    return [409, statusObject(409, "Conflict", `${path}: is written as ${name}, ${uid}`)];
  const written = { ...object, metadata: { ...metadata, annotations } };
  stored.set(pathOf(object), written);
  return [200, written];
}

/** The `Status` object that Kubernetes returns for a failure. */
function statusObject(code: number, reason: string, message: string): object {
  return { apiVersion: "v1", kind: "Status", status: "Failure", code, reason, message };
}

function reply(response: ServerResponse, status: number, object: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(object));
}

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/**
 * Listens in another network namespace through a relay.
 *
 * A process can listen only in its own network namespace. The relay runs in `namespace` and
 * connects to a Unix socket in the file system, which both network namespaces share.
 */
async function listenIn(scope: Scope, server: Server, namespace: Namespace): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "kube-api-"));
  scope.teardown(() => rmSync(directory, { recursive: true }));
  const socket = join(directory, "socket");
  server.listen(socket);
  await once(server, "listening");
  const script = fileURLToPath(new URL("kube-api-relay.py", import.meta.url));
  const [file, ...args] = within(namespace, "/usr/bin/python3", "-IS", script, socket);
  const relay = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(relay, "exit");
  scope.teardown(async () => {
    relay.kill("SIGKILL");
    await ended;
  });
  const [port] = await Promise.race([
    once(createInterface(relay.stdout), "line"),
    ended.then(() => Promise.reject(new Error(`${script}: ended without a port`))),
  ]);
  return Number(port);
}
