/** A gateway for the tests: real gRPC on a free port, with answers that a test gives. */

import { type DescMethod, type MessageShape, create, fromBinary, toBinary } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";

import {
  type MxCommandReply,
  MxCommandReplySchema,
  type MxCommandBatch,
  MxCommandReplyBatchSchema,
  type MxCommandRequest,
  MxAccessGateway,
  type MxEvent,
  MxEventBatchSchema,
  MxEventFamily,
  MxEventSchema,
  OpenSessionReplySchema,
  CloseSessionReplySchema,
  ProtocolStatusCode,
  type MxStreamCommand,
  type StreamEventsRequest,
} from "../src/gen/mxaccess_gateway_pb.js";
import { toMxValue } from "../src/index.js";

const OK = { code: ProtocolStatusCode.OK, message: "OK" };

/** A failure of a call. */
export class Abort extends Error {
  constructor(
    readonly code: grpc.status,
    readonly details = "",
  ) {
    super(details);
  }
}

/** An OnDataChange. */
export function change(sequence: number, itemHandle = 1, value = sequence): MxEvent {
  return create(MxEventSchema, {
    family: MxEventFamily.ON_DATA_CHANGE,
    serverHandle: 1,
    itemHandle,
    value: toMxValue(value),
    quality: 192,
    workerSequence: BigInt(sequence),
    body: { case: "onDataChange", value: {} },
  });
}

type Stream = grpc.ServerWritableStream<StreamEventsRequest, unknown>;

/** Answers plainly; `answers` replaces the answer of a command, `onStream` is told of each stream of events. */
export class FakeGateway {
  readonly commands: MxCommandRequest[] = [];
  /** Commands of command streams. */
  readonly batches: MxStreamCommand[] = [];
  readonly streams: StreamEventsRequest[] = [];
  readonly calls = new Map<string, number>();
  readonly answers = new Map<string, (request: MxCommandRequest) => MxCommandReply | Promise<MxCommandReply>>();
  capabilities = ["event-batches"];
  sessions = 0;
  onStream: (stream: Stream, send: (...events: MxEvent[]) => void) => void = () => undefined;
  openStreams = 0;
  /** What the last call had for its deadline. */
  limitMs = Infinity;
  endpoint = "";
  #server = new grpc.Server();
  #items = 0;

  static async start(): Promise<FakeGateway> {
    const fake = new FakeGateway();
    await fake.listen("127.0.0.1:0");
    return fake;
  }

  async listen(address: string): Promise<void> {
    this.#server = new grpc.Server();
    const methods = MxAccessGateway.method;
    this.#server.addService(
      {
        openSession: definition(methods.openSession),
        closeSession: definition(methods.closeSession),
        invoke: definition(methods.invoke),
        streamEventBatches: { ...definition(methods.streamEventBatches), responseStream: true },
        streamEvents: { ...definition(methods.streamEvents), responseStream: true },
        invokeStream: { ...definition(methods.invokeStream), requestStream: true, responseStream: true },
      } as unknown as grpc.ServiceDefinition,
      {
        openSession: this.#unary("OpenSession", () => {
          this.sessions += 1;
          return create(OpenSessionReplySchema, {
            sessionId: `session-${this.sessions}`,
            gatewayProtocolVersion: 3,
            capabilities: this.capabilities,
            protocolStatus: OK,
          });
        }),
        closeSession: this.#unary("CloseSession", () => create(CloseSessionReplySchema, { protocolStatus: OK })),
        invoke: this.#unary("Invoke", (request) => this.#command(request as MxCommandRequest)),
        streamEventBatches: (stream: Stream) => {
          this.#opened(stream, (...events) => void stream.write(create(MxEventBatchSchema, { events })));
        },
        streamEvents: (stream: Stream) => {
          this.#opened(stream, (...events) => {
            for (const event of events) stream.write(event);
          });
        },
        // Late enough that what does not wait is gone.
        invokeStream: (stream: grpc.ServerDuplexStream<MxCommandBatch, unknown>) => {
          stream.on("data", ({ commands }: MxCommandBatch) => {
            this.batches.push(...commands);
            const replies = commands.map(({ correlationId }) => ({ correlationId, protocolStatus: OK }));
            setTimeout(() => stream.write(create(MxCommandReplyBatchSchema, { replies })), 50);
          });
          stream.on("end", () => {
            stream.end();
          });
        },
      },
    );
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error, bound) => {
        if (error) reject(error);
        else resolve(bound);
      });
    });
    this.endpoint = `127.0.0.1:${port}`;
  }

  /** Ends all connections at once. */
  stop(): void {
    this.#server.forceShutdown();
  }

  #opened(stream: Stream, send: (...events: MxEvent[]) => void): void {
    this.streams.push(stream.request);
    this.openStreams += 1;
    stream.sendMetadata(new grpc.Metadata());
    stream.on("close", () => (this.openStreams -= 1));
    this.onStream(stream, send);
  }

  #unary(name: string, answer: (request: unknown) => unknown) {
    return (call: grpc.ServerUnaryCall<unknown, unknown>, done: grpc.sendUnaryData<unknown>): void => {
      this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
      this.limitMs = Number(call.getDeadline()) - new Date().getTime();
      Promise.resolve()
        .then(() => answer(call.request))
        .then(
          (reply) => {
            done(null, reply);
          },
          (error: unknown) => {
            done(
              error instanceof Abort
                ? { code: error.code, details: error.details }
                : { code: grpc.status.UNKNOWN, details: String(error) },
            );
          },
        );
    };
  }

  async #command(request: MxCommandRequest): Promise<MxCommandReply> {
    this.commands.push(request);
    const payload = request.command?.payload;
    const given = this.answers.get(payload?.case ?? "");
    if (given !== undefined) return await given(request);
    const reply = create(MxCommandReplySchema, {
      correlationId: request.clientCorrelationId,
      protocolStatus: OK,
      hresult: 0,
    });
    switch (payload?.case) {
      case "ping":
        reply.diagnosticMessage = payload.value.message;
        break;
      case "register":
        reply.payload = {
          case: "register",
          value: create(MxCommandReplySchema, { payload: { case: "register", value: { serverHandle: 1 } } }).payload
            .value as never,
        };
        break;
      case "subscribeBulk": {
        const results = payload.value.tagAddresses.map((tagAddress) => {
          const wasSuccessful = !tagAddress.startsWith("Bad");
          return {
            tagAddress,
            itemHandle: wasSuccessful ? (this.#items += 1) : 0,
            wasSuccessful,
            errorMessage: wasSuccessful ? "" : "no such tag",
          };
        });
        reply.payload = create(MxCommandReplySchema, {
          payload: { case: "subscribeBulk", value: { results } },
        }).payload;
        break;
      }
      case "unsubscribeBulk":
        reply.payload = create(MxCommandReplySchema, {
          payload: {
            case: "unsubscribeBulk",
            value: { results: payload.value.itemHandles.map((itemHandle) => ({ itemHandle, wasSuccessful: true })) },
          },
        }).payload;
        break;
      case "getSessionState":
        reply.payload = create(MxCommandReplySchema, {
          payload: { case: "getSessionState", value: { state: 6 } },
        }).payload;
        break;
      default:
        break;
    }
    return reply;
  }
}

function definition(method: DescMethod): object {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: (message: MessageShape<typeof method.input>) => Buffer.from(toBinary(method.input, message)),
    requestDeserialize: (data: Buffer) => fromBinary(method.input, data),
    responseSerialize: (message: MessageShape<typeof method.output>) => Buffer.from(toBinary(method.output, message)),
    responseDeserialize: (data: Buffer) => fromBinary(method.output, data),
  };
}
