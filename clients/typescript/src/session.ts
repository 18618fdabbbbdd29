/** A session: one worker process of one's own, and everything it can do. */

import { create } from "@bufbuild/protobuf";

import { BulkCommands } from "./bulkCommands.js";
import { CommandStream } from "./commandStream.js";
import { REPEATABLE, methodName } from "./commands.js";
import { type WriteConfirmOptions, type WriteOutcome, writeAndConfirm } from "./confirmedWrite.js";
import { nextCorrelationId } from "./correlation.js";
import { EventStream } from "./events.js";
import {
  BackpressurePolicy,
  type CloseSessionReply,
  CloseSessionRequestSchema,
  MxAccessGateway,
  type MxCommand,
  type MxCommandReply,
  MxCommandRequestSchema,
  type MxEvent,
  type OpenSessionReply,
  StreamEventsRequestSchema,
} from "./gen/mxaccess_gateway_pb.js";
import { checkMxAccess, checkProtocol } from "./replies.js";
import type { SubscribeOptions } from "./dataChange.js";
import { Subscription } from "./subscription.js";
import type { CallOptions, Transport } from "./transport.js";
import type { MxInput } from "./values.js";
import { CAPABILITY_COMMAND_STREAM, CAPABILITY_EVENT_BATCHES, MAX_BULK_ITEMS } from "./version.js";

/** Where a stream of events begins. */
export interface StreamOptions extends CallOptions {
  /** workerSequence of the last event that you have; 0 for a fresh stream. */
  readonly afterWorkerSequence?: bigint | number;
  /** Begins with the session's first event, even when another stream had it. */
  readonly fromBeginning?: boolean;
  /**
   * Asks for the present value of each advised item after a gap, as events of the origin RECOVERED; only a gateway with
   * the capability `recovered-values` sends them.
   */
  readonly recoverGaps?: boolean;
  /** What the gateway does when this stream is not read fast enough. */
  readonly backpressurePolicy?: BackpressurePolicy;
}

/**
 * One session of a gateway, made by `GatewayClient.openSession`; close it, or declare it with `await using`.
 *
 * The methods are those of LMXProxyServer. An AbortSignal ends the wait and, as far as the command is still queued, the
 * command; a COM call that already runs is never aborted. Each method throws MxAccessError when MXAccess fails the call,
 * another MxGatewayError when the gateway does.
 */
export class Session extends BulkCommands {
  /** The reply that opened the session; only id and capabilities are set in a session made by `attachSession`. */
  readonly raw: OpenSessionReply;
  readonly capabilities: ReadonlySet<string>;
  readonly #transport: Transport;
  readonly #commands: CommandStream | undefined;
  readonly #subscriptions = new Set<Subscription>();
  #closing: Promise<CloseSessionReply> | undefined;

  /** The policy that `openSession` asked for; UNSPECIFIED is the gateway's default, or not known here. */
  readonly backpressurePolicy: BackpressurePolicy;

  /** Made by the client. */
  constructor(transport: Transport, reply: OpenSessionReply, backpressurePolicy = BackpressurePolicy.UNSPECIFIED) {
    super();
    this.#transport = transport;
    this.backpressurePolicy = backpressurePolicy;
    this.raw = reply;
    this.capabilities = new Set(reply.capabilities);
    this.#commands = this.capabilities.has(CAPABILITY_COMMAND_STREAM)
      ? new CommandStream(transport, reply.sessionId)
      : undefined;
  }

  /** The gateway's name of this session. */
  get id(): string {
    return this.raw.sessionId;
  }

  override get maxBulkItems(): number {
    const told = this.raw.limits?.maxBulkItems ?? 0;
    return told > 0 ? told : MAX_BULK_ITEMS;
  }

  /** Whether the values are a simulator's, not a plant's. Not known, so false, in one of `attachSession`. */
  get isSimulated(): boolean {
    return this.raw.isSimulated;
  }

  /** Whether `close` was called on this object. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  // ---------------------------------------------------------------------------------------------------- any command

  /**
   * Runs a command and checks the reply in full.
   *
   * @throws {MxAccessError} MXAccess failed it.
   */
  override async invoke(wanted: MxCommand, call: CallOptions = {}): Promise<MxCommandReply> {
    const reply = await this.invokeRaw(wanted, call);
    checkMxAccess(reply, methodName(wanted.kind));
    return reply;
  }

  /** Runs a command and leaves a failure of MXAccess in the reply. */
  async invokeRaw(wanted: MxCommand, call: CallOptions = {}): Promise<MxCommandReply> {
    const correlationId = call.correlationId || nextCorrelationId();
    const { options } = this.#transport;
    const what = methodName(wanted.kind);
    const isRepeatable = REPEATABLE.has(wanted.kind);
    const retried = options.retry !== undefined && isRepeatable;
    let reply: MxCommandReply;
    if (this.#commands === undefined || retried || !this.#commands.takes(correlationId)) {
      const request = create(MxCommandRequestSchema, {
        sessionId: this.id,
        clientCorrelationId: correlationId,
        command: wanted,
      });
      reply = await this.#transport.unary(MxAccessGateway.method.invoke, request, what, {
        ...call,
        correlationId,
        isRepeatable,
      });
    } else {
      reply = await this.#commands.invoke(wanted, correlationId, call.timeoutMs ?? options.callTimeoutMs, call.signal);
    }
    checkProtocol(reply, what, correlationId);
    return reply;
  }

  /**
   * Writes a tag by name and waits for the outcome: adds, advises, writes once the first value is there, waits for
   * OnWriteComplete, and removes the item again. Opens an event stream of its own.
   *
   * @throws {MxAccessError} the reference does not exist, or MXAccess refused or failed the write.
   * @throws {MxGatewayTimeoutError} no value, or no completion, in time; after the write its outcome is unknown.
   */
  async writeAndConfirm(
    tag: string,
    value: MxInput | ((before: MxEvent) => MxInput),
    options: WriteConfirmOptions = {},
  ): Promise<WriteOutcome> {
    return await writeAndConfirm(this, tag, value, options);
  }

  // ---------------------------------------------------------------------------------------------------------- events

  /** The session's events without end; the call is under way when this returns. */
  events(options: StreamOptions = {}): EventStream {
    const after = BigInt(options.afterWorkerSequence ?? 0);
    if (after < 0n) throw new RangeError(`afterWorkerSequence is ${after}; 0 is the start`);
    if (after > 0n && options.fromBeginning) throw new TypeError("give either afterWorkerSequence or fromBeginning");
    const request = create(StreamEventsRequestSchema, {
      sessionId: this.id,
      afterWorkerSequence: after,
      fromBeginning: options.fromBeginning ?? false,
      recoverGaps: options.recoverGaps ?? false,
      backpressurePolicy: options.backpressurePolicy ?? 0,
    });
    const { method } = MxAccessGateway;
    return new EventStream(
      this.capabilities.has(CAPABILITY_EVENT_BATCHES)
        ? this.#transport.serverStream(method.streamEventBatches, request, "StreamEventBatches", options)
        : this.#transport.serverStream(method.streamEvents, request, "StreamEvents", options),
    );
  }

  /** Changes of some tags, over interruptions of the connection; it lives at most as long as this session. */
  subscribe(tags: Iterable<string>, options: SubscribeOptions = {}): Subscription {
    const subscription = new Subscription(tags, options, {
      openSession: () => Promise.resolve(this),
      ownsSessions: false,
      onEnded: () => {
        this.#subscriptions.delete(subscription);
      },
    });
    this.#subscriptions.add(subscription);
    return subscription;
  }

  /**
   * Ends the session and its worker. Later and concurrent calls get the first reply again; a close that failed may be
   * tried again. Takes at most the client's `shutdownTimeoutMs`.
   */
  close(call: CallOptions = {}): Promise<CloseSessionReply> {
    this.#closing ??= this.#close(call).catch((error: unknown) => {
      this.#closing = undefined;
      throw error;
    });
    return this.#closing;
  }

  async #close(call: CallOptions): Promise<CloseSessionReply> {
    await Promise.all([...this.#subscriptions].map((each) => each.close()));
    this.#commands?.close();
    const correlationId = call.correlationId || nextCorrelationId();
    const request = create(CloseSessionRequestSchema, { sessionId: this.id, clientCorrelationId: correlationId });
    const timeoutMs = call.timeoutMs ?? this.#transport.options.shutdownTimeoutMs;
    const reply = await this.#transport.unary(MxAccessGateway.method.closeSession, request, "CloseSession", {
      ...call,
      timeoutMs,
      correlationId,
      isRepeatable: true,
    });
    checkProtocol(reply, "CloseSession", correlationId);
    return reply;
  }

  /** `close`, at the end of an `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
