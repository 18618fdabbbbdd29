/**
 * Commands of one session over one stream (InvokeStream).
 *
 * Whatever waits travels in one message, so concurrent calls pipeline by themselves and a lone call costs half the
 * latency of a unary one. What a caller sees is the same as with Invoke.
 */

import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { type ClientDuplexStream, type ServiceError, status as Code } from "@grpc/grpc-js";

import { methodName } from "./commands.js";
import {
  MxGatewayError,
  MxGatewaySessionError,
  MxGatewayTimeoutError,
  MxGatewayTransportError,
  type ErrorClass,
} from "./errors.js";
import {
  type MxCommand,
  MxCommandBatchSchema,
  type MxCommandReply,
  type MxCommandReplyBatch,
  MxAccessGateway,
  MxStreamCommandSchema,
} from "./gen/mxaccess_gateway_pb.js";
import { LIMITS } from "./tables.js";
import { durationOf } from "./time.js";
import { LONGEST_TIMER_MS, type Transport } from "./transport.js";
import { ENVELOPE_BYTES } from "./version.js";

const MAX_BYTES = 1024 * 1024;
/** Milliseconds without a command after which the next one gets a new stream: proxies end idle ones. */
const STALE_AFTER_MS = 2000;

const COMMANDS = MxCommandBatchSchema.field.commands.number;

interface Pending {
  readonly correlationId: string;
  /** Encoded once, for its size and for the wire. */
  readonly body: Uint8Array;
  readonly what: string;
  isSent: boolean;
  readonly settle: (outcome: MxCommandReply | Error) => void;
}

type Call = ClientDuplexStream<Uint8Array, MxCommandReplyBatch>;

/** The command stream of a session: opened by its first command, reopened after a failure by the next one. */
export class CommandStream {
  readonly #transport: Transport;
  readonly #sessionId: string;
  readonly #underWay = new Map<string, Pending>();
  #waiting: Pending[] = [];
  #cancels: string[] = [];
  #inWindow = 0;
  #call: Call | undefined;
  #isOpening = false;
  #isFlushing = false;
  #isFirst = true;
  #isClosed = false;
  #isUnsupported = false;
  #usedAt = 0;
  // The stream that is current: what one that was left behind says counts no more.
  #generation = 0;

  constructor(transport: Transport, sessionId: string) {
    this.#transport = transport;
    this.#sessionId = sessionId;
  }

  /** Whether a command with this id can go over the stream; otherwise it has to go as a unary call. */
  takes(correlationId: string): boolean {
    return !this.#isClosed && !this.#isUnsupported && !this.#underWay.has(correlationId);
  }

  /**
   * Sends a command and returns its reply, whatever that says.
   *
   * @throws {MxGatewayTimeoutError} no reply within `timeoutMs`.
   * @throws {MxGatewayError} the stream failed; whether the command ran is unknown.
   */
  async invoke(
    command: MxCommand,
    correlationId: string,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<MxCommandReply> {
    signal?.throwIfAborted();
    const what = methodName(command.kind);
    const message = create(MxStreamCommandSchema, { correlationId, command, timeout: durationOf(timeoutMs) });
    const body = toBinary(MxStreamCommandSchema, message);
    this.#transport.checkSize(body.length, what, correlationId);
    this.#transport.checkOpen(what);
    if (this.#underWay.size === 0 && this.#call !== undefined && performance.now() - this.#usedAt > STALE_AFTER_MS) {
      // Between here and the gateway somebody may be ending it right now, and the command with it.
      this.#leave();
    }
    this.#usedAt = performance.now();
    return await new Promise<MxCommandReply>((resolve, reject) => {
      const onAbort = (): void => {
        this.#forget(pending);
        pending.settle(signal?.reason as Error);
      };
      const onTimeout = (): void => {
        this.#forget(pending);
        const text = `${what}: DEADLINE_EXCEEDED: no reply within ${timeoutMs / 1000} s`;
        pending.settle(new MxGatewayTimeoutError(text, { correlationId, code: Code.DEADLINE_EXCEEDED }));
      };
      const timer = timeoutMs > LONGEST_TIMER_MS ? undefined : setTimeout(onTimeout, timeoutMs);
      const settle = (outcome: MxCommandReply | Error): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        if (outcome instanceof Error) reject(outcome);
        else resolve(outcome);
      };
      const pending: Pending = { correlationId, body, what, isSent: false, settle };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#underWay.set(correlationId, pending);
      this.#waiting.push(pending);
      this.#wake();
    });
  }

  /** Ends the stream; commands that still wait fail. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#fail(new MxGatewaySessionError("the session was closed during the call"));
    this.#leave();
  }

  #leave(): void {
    this.#generation += 1;
    this.#call?.cancel();
    this.#call = undefined;
    this.#isOpening = false;
  }

  /** Sends what waits at the end of this turn: commands of one turn travel together. */
  #wake(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      if (this.#isClosed) return;
      if (this.#call !== undefined) this.#flush(this.#call);
      else if (!this.#isOpening && this.#waiting.length > 0) void this.#open();
    });
  }

  async #open(): Promise<void> {
    this.#isOpening = true;
    const generation = (this.#generation += 1);
    let opened: { call: Call; key: string | undefined };
    try {
      opened = await this.#transport.duplexStream(MxAccessGateway.method.invokeStream, "InvokeStream");
    } catch (error) {
      if (generation === this.#generation) {
        this.#isOpening = false;
        this.#fail(error as Error);
      }
      return;
    }
    const { call, key } = opened;
    if (generation !== this.#generation) {
      call.on("error", () => undefined);
      call.cancel();
      return;
    }
    this.#call = call;
    this.#isOpening = false;
    this.#isFirst = true;
    call.on("data", (batch: MxCommandReplyBatch) => {
      if (generation !== this.#generation) return;
      this.#usedAt = performance.now();
      for (const reply of batch.replies) this.#take(reply);
    });
    call.on("drain", () => {
      this.#wake();
    });
    call.on("error", (error: ServiceError) => {
      const mapped = this.#transport.failure(error, "InvokeStream", key, {});
      this.#isUnsupported ||= generation === this.#generation && error.code === Code.UNIMPLEMENTED;
      this.#end(generation, mapped);
    });
    call.on("end", () => {
      // An error follows the end of a stream that failed.
      setImmediate(() => {
        this.#end(generation, new MxGatewayTransportError("the gateway ended the command stream"));
      });
    });
    this.#flush(call);
  }

  #end(generation: number, error: Error): void {
    if (generation !== this.#generation) return;
    this.#leave();
    this.#fail(error);
  }

  #flush(call: Call): void {
    const most = Math.min(MAX_BYTES, this.#transport.options.maxMessageBytes - ENVELOPE_BYTES);
    for (;;) {
      const writer = new BinaryWriter();
      let commands = 0;
      let size = 0;
      while (
        this.#waiting.length > 0 &&
        this.#inWindow < LIMITS.commandWindow &&
        commands < LIMITS.commandsPerMessage
      ) {
        const pending = this.#waiting[0];
        if (pending === undefined || (size > 0 && size + pending.body.length > most)) break;
        this.#waiting.shift();
        if (this.#underWay.get(pending.correlationId) !== pending) continue;
        pending.isSent = true;
        this.#inWindow += 1;
        size += pending.body.length;
        commands += 1;
        writer.tag(COMMANDS, WireType.LengthDelimited).bytes(pending.body);
      }
      const cancelCorrelationIds = this.#cancels;
      this.#cancels = [];
      if (commands === 0 && cancelCorrelationIds.length === 0) return;
      const sessionId = this.#isFirst ? this.#sessionId : "";
      this.#isFirst = false;
      // The rest of the message; the order of fields on the wire means nothing.
      writer.raw(toBinary(MxCommandBatchSchema, create(MxCommandBatchSchema, { sessionId, cancelCorrelationIds })));
      if (!call.write(writer.finish())) return;
    }
  }

  #take(reply: MxCommandReply): void {
    const pending = this.#underWay.get(reply.correlationId);
    // Else the reply to a command that timed out or was cancelled.
    if (pending === undefined) return;
    this.#underWay.delete(reply.correlationId);
    this.#inWindow -= 1;
    if (this.#waiting.length > 0) this.#wake();
    pending.settle(reply);
  }

  /** Nobody waits for this command any more: it is not sent, or the gateway is told to drop it from its queue. */
  #forget(pending: Pending): void {
    const id = pending.correlationId;
    if (!this.#underWay.delete(id)) return;
    if (pending.isSent) {
      this.#inWindow -= 1;
      this.#cancels.push(id);
    }
    this.#wake();
  }

  #fail(error: Error): void {
    const left = [...this.#underWay.values()];
    this.#underWay.clear();
    this.#waiting = [];
    this.#cancels = [];
    this.#inWindow = 0;
    for (const pending of left) pending.settle(sameFor(error, pending));
  }
}

/** The failure of the stream as one of a command that waited for it. */
function sameFor(error: Error, pending: Pending): Error {
  if (!(error instanceof MxGatewayError)) return error;
  const Class = error.constructor as ErrorClass;
  return new Class(`${pending.what}: ${error.message}`, {
    correlationId: pending.correlationId,
    code: error.code,
    retryAfterMs: error.retryAfterMs,
    reason: error.reason,
    cause: error,
  });
}
