/**
 * The floor of TypeScript: the generated messages over grpc-js and nothing else. What it sends is what the client sends:
 * the deadline and the correlation id of each call, keepalive, the limit of a message.
 *
 * `floor reads ENDPOINT CA SIZE` and `floor events ENDPOINT` say `{}` when they are ready; then each line `{"count": n}`
 * asks for so many reads, or for a stream of so many events in batches without TLS, and is answered.
 */

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

import { type MessageInitShape, create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type ClientOptions, Metadata, credentials, makeClientConstructor } from "@grpc/grpc-js";

import {
  CloseSessionRequestSchema,
  MxAccessGateway,
  MxCommandKind,
  type MxCommandReply,
  MxCommandRequestSchema,
  type MxCommandSchema,
  type MxEventBatch,
  OpenSessionRequestSchema,
  StreamEventsRequestSchema,
} from "../src/gen/mxaccess_gateway_pb.js";

const { openSession, closeSession, invoke, streamEventBatches } = MxAccessGateway.method;

function definition(method: (typeof MxAccessGateway.methods)[number]) {
  return {
    path: `/${MxAccessGateway.typeName}/${method.name}`,
    requestStream: false,
    responseStream: method.methodKind === "server_streaming",
    requestSerialize: (message: unknown) => Buffer.from(toBinary(method.input, message as never)),
    requestDeserialize: (bytes: Buffer) => fromBinary(method.input, bytes),
    responseSerialize: (message: unknown) => Buffer.from(toBinary(method.output, message as never)),
    responseDeserialize: (bytes: Buffer) => fromBinary(method.output, bytes),
  };
}

const metadata = new Metadata();
metadata.set("authorization", `Bearer ${process.env["MXGATEWAY_API_KEY"] ?? ""}`);
const limits: ClientOptions = {
  "grpc.max_receive_message_length": 16 * 1024 * 1024,
  "grpc.max_send_message_length": 16 * 1024 * 1024,
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 10_000,
};
const Stub = makeClientConstructor(
  Object.fromEntries(
    [openSession, closeSession, invoke, streamEventBatches].map((each) => [each.name, definition(each)]),
  ),
  MxAccessGateway.typeName,
);

async function unary<T>(stub: InstanceType<typeof Stub>, name: string, request: unknown): Promise<T> {
  return await new Promise((resolve, reject) => {
    const call = stub[name] as (
      request: unknown,
      metadata: Metadata,
      options: { deadline: number },
      done: (error: Error | null, reply: T) => void,
    ) => void;
    call.call(stub, request, metadata, { deadline: Date.now() + 30_000 }, (error, reply) => {
      if (error) reject(error);
      else resolve(reply);
    });
  });
}

/** Answers each line of stdin by what `some` makes of its count. */
async function asked(some: (count: number) => Promise<object>): Promise<void> {
  console.log("{}");
  for await (const line of createInterface({ input: process.stdin })) {
    const { count } = JSON.parse(line) as { count: number };
    console.log(JSON.stringify(await some(count)));
  }
}

async function reads(endpoint: string, caFile: string, size: number): Promise<void> {
  const stub = new Stub(endpoint, credentials.createSsl(readFileSync(caFile)), limits);
  const { sessionId } = await unary<{ sessionId: string }>(stub, "OpenSession", create(OpenSessionRequestSchema));
  let count = 0;
  const run = async (command: MessageInitShape<typeof MxCommandSchema>): Promise<MxCommandReply> => {
    count += 1;
    const clientCorrelationId = `0000000000000000-${count.toString(16)}`;
    return await unary(stub, "Invoke", create(MxCommandRequestSchema, { sessionId, clientCorrelationId, command }));
  };
  const registered = await run({
    kind: MxCommandKind.REGISTER,
    payload: { case: "register", value: { clientName: "floor" } },
  });
  const serverHandle = registered.payload.case === "register" ? registered.payload.value.serverHandle : 0;
  const tagAddresses = Array.from(
    { length: size },
    (_, index) => `TestMachine_${String(index + 1).padStart(3, "0")}.TestChangingInt`,
  );
  await run({
    kind: MxCommandKind.SUBSCRIBE_BULK,
    payload: { case: "subscribeBulk", value: { serverHandle, tagAddresses } },
  });
  const read = async (): Promise<MxCommandReply> =>
    await run({ kind: MxCommandKind.READ_BULK, payload: { case: "readBulk", value: { serverHandle, tagAddresses } } });
  await asked(async (count) => {
    const took: number[] = [];
    for (let number = 0; number < count; number += 1) {
      const at = performance.now();
      await read();
      took.push(performance.now() - at);
    }
    took.sort((one, other) => one - other);
    return { p50_ms: took[count >> 1] ?? 0 };
  });
  await unary(stub, "CloseSession", create(CloseSessionRequestSchema, { sessionId }));
  stub.close();
}

async function events(endpoint: string): Promise<void> {
  const stub = new Stub(endpoint, credentials.createInsecure(), limits);
  const open = stub["StreamEventBatches"] as (
    request: unknown,
    metadata: Metadata,
  ) => AsyncIterable<MxEventBatch> & { cancel(): void };
  await asked(async (count) => {
    const { sessionId } = await unary<{ sessionId: string }>(stub, "OpenSession", create(OpenSessionRequestSchema));
    const stream = open.call(stub, create(StreamEventsRequestSchema, { sessionId }), metadata);
    let taken = 0;
    for await (const batch of stream) {
      taken += batch.events.length;
      if (taken >= count) break;
    }
    stream.cancel();
    return { taken };
  });
  stub.close();
}

const [what = "", endpoint = "", caFile = "", size = "1"] = process.argv.slice(2);
await (what === "events" ? events(endpoint) : reads(endpoint, caFile, Number(size)));
process.exit(0);
