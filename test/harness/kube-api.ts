// A cluster's API, as far as Multus uses it: serves objects over HTTP, takes what is written about
// a pod's status, and remembers who asked for what.
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

/** A pod or a NetworkAttachmentDefinition, as a manifest has it. */
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

/** The API, until its scope ends. */
export interface KubeApi {
  /** Such as `http://127.0.0.1:40123`, in the namespace that it was started for. */
  readonly url: string;
  /** All requests so far, such as `GET /api/v1/namespaces/vms/pods/virt-launcher-blue`. */
  readonly requests: readonly string[];
  /** Puts an object there, or in the place of the one that has its name. */
  put(object: KubeObject): void;
  /** Removes one, as `kubectl delete` does. */
  remove(object: KubeObject): void;
  /** A pod's annotations as they are by now. */
  annotations(pod: KubeObject): Readonly<Record<string, string>>;
}

const plurals = { Pod: "pods", NetworkAttachmentDefinition: "network-attachment-definitions" };

/**
 * Starts one with these objects. It is reached from `namespace`, whose loopback has to be up; from
 * this process's own unless told.
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
  // Whatever fails, it keeps no test from ending.
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

/** What Kubernetes says where there is nothing else to say. */
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
 * A process cannot listen in another namespace than its own: a relay does there, to a socket in the
 * file system, which is in all of them.
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
