// Encodes and decodes the protocol buffers that Multus exchanges with the API and with kubelet.
//
// Multus writes a pod's status in this encoding, and reads kubelet's answer about devices.

/**
 * The bytes before every object in a Kubernetes request body (k8s.io/apimachinery,
 * pkg/runtime/serializer/protobuf).
 */
const magic = Buffer.from("k8s\0");

/**
 * Field numbers (k8s.io/apimachinery, generated.proto) in `Unknown`, in every object, in
 * `ObjectMeta`, and in an entry of a map.
 */
const raw = 2;
const metadata = 1;
const objectMeta = { name: 1, namespace: 3, uid: 5, annotations: 12 };
const entry = { key: 1, value: 2 };

/** The metadata of an object in a request. */
export interface WrittenMetadata {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * Decodes the metadata of the object in a request's body. @throws if the body has another encoding.
 */
export function writtenMetadata(body: Buffer): WrittenMetadata {
  if (!body.subarray(0, magic.length).equals(magic))
    throw new Error(
      `request body: begins with ${body.subarray(0, magic.length).toString("hex")}, not with k8s and NUL`,
    );
  const object = fields(body.subarray(magic.length), raw)[0] ?? Buffer.alloc(0);
  const meta = fields(object, metadata)[0] ?? Buffer.alloc(0);
  const { annotations, ...texts } = objectMeta;
  const pairs = fields(meta, annotations).map((pair) => [text(pair, entry.key), text(pair, entry.value)]);
  return {
    name: text(meta, texts.name),
    namespace: text(meta, texts.namespace),
    uid: text(meta, texts.uid),
    annotations: Object.fromEntries(pairs),
  };
}

/** Encodes a length-delimited field: text, bytes, or a message that consists of such fields. */
export function field(number: number, ...content: readonly (string | Buffer)[]): Buffer {
  const bytes = Buffer.concat(content.map((part) => Buffer.from(part as string)));
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

/**
 * Returns the contents of all length-delimited fields with that number, in order. @throws if
 * `message` is truncated or no message.
 */
export function fields(message: Buffer, number: number): Buffer[] {
  const found: Buffer[] = [];
  let at = 0;
  const readVarint = (): number => {
    for (let value = 0, factor = 1; ; factor *= 128) {
      const byte = message[at++];
      if (byte === undefined) throw new Error(`protobuf message: ends within the number at ${at - 1}`);
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const key = readVarint();
    const type = key % 8;
    if (type === 0) readVarint();
    const length = { 0: 0, 1: 8, 2: type === 2 ? readVarint() : 0, 5: 4 }[type];
    if (length === undefined) throw new Error(`protobuf message: has wire type ${type} at ${at}`);
    if (at + length > message.length) throw new Error(`protobuf message: ends within the field at ${at}`);
    if (type === 2 && Math.floor(key / 8) === number) found.push(message.subarray(at, at + length));
    at += length;
  }
  return found;
}

function text(message: Buffer, number: number): string {
  return fields(message, number).at(-1)?.toString("utf8") ?? "";
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}
