/** The connection to a gateway: channel, deadlines, key, cancelling, retries, and gRPC's errors in this library's terms. */

import { readFileSync } from "node:fs";

import { type DescMessage, type DescMethod, type MessageShape, fromBinary, toBinary } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";

import {
  type MxGatewayError,
  MxGatewayResourceError,
  MxGatewayTimeoutError,
  MxGatewayTransportError,
} from "./errors.js";
import { type ClientOptions, type ResolvedOptions, checkApiKey, resolveOptions } from "./options.js";
import { mapRpcError } from "./rpcErrors.js";
import { ENVELOPE_BYTES } from "./version.js";

/** What every call takes beside its arguments. */
export interface CallOptions {
  /** Ends the wait; the call then ends with the signal's reason. A COM call that runs already is never aborted. */
  readonly signal?: AbortSignal | undefined;
  /** Deadline in milliseconds, in place of the client's. */
  readonly timeoutMs?: number | undefined;
  /** Empty for a new one. */
  readonly correlationId?: string | undefined;
}

/** Where the connection of a client stands. */
export type ConnectionState = "idle" | "connecting" | "connected" | "reconnecting" | "closed";

const STATES: Record<grpc.connectivityState, ConnectionState> = {
  [grpc.connectivityState.IDLE]: "idle",
  [grpc.connectivityState.CONNECTING]: "connecting",
  [grpc.connectivityState.READY]: "connected",
  [grpc.connectivityState.TRANSIENT_FAILURE]: "reconnecting",
  [grpc.connectivityState.SHUTDOWN]: "closed",
};
const MAX_BACKOFF_MS = 5000;
/** Bytes that a stream may have under way: with Node's own 64 KiB no more comes than that for each way there and back. */
const FLOW_CONTROL_WINDOW = 1024 * 1024;
/** A timer that is to run longer fires at once in Node: such a limit has none, as in gRPC itself. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;
// What the system trusts stands in Node's own list unless a file replaces it.
const SYSTEM_ROOTS = process.env["SSL_CERT_FILE"];

/** A call of a method of the contract, in the form that grpc-js wants. */
interface Wire<I extends DescMessage, O extends DescMessage> {
  readonly path: string;
  readonly encode: (message: MessageShape<I>) => Buffer;
  readonly decode: (data: Buffer) => MessageShape<O>;
}

function asItIs(data: Buffer): Buffer {
  return data;
}

/** The same bytes as Node has them. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function wireOf<I extends DescMessage, O extends DescMessage>(method: Method<I, O>): Wire<I, O> {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    encode: (message) => bufferOf(toBinary(method.input, message)),
    decode: (data) => fromBinary(method.output, data),
  };
}

/** A method of a generated service, with the types of its messages. */
export type Method<I extends DescMessage, O extends DescMessage> = DescMethod & {
  readonly input: I;
  readonly output: O;
};

/** A channel with its options; nothing is sent before the first call, or `ready`. */
export class Transport {
  readonly options: ResolvedOptions;
  readonly #client: grpc.Client;
  #isClosed = false;
  #sent: { metadata: grpc.Metadata; key: string | undefined } = { metadata: new grpc.Metadata(), key: undefined };
  // Closing a channel lets its calls run on: they are ended one by one.
  readonly #running = new Set<{ cancel(): void }>();

  /** @throws {TypeError} options that make no sense. */
  constructor(options: ClientOptions) {
    this.options = resolveOptions(options);
    this.#client = new grpc.Client(this.options.endpoint, credentials(this.options), channelOptions(this.options));
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get state(): ConnectionState {
    return this.#isClosed ? "closed" : STATES[this.#client.getChannel().getConnectivityState(false)];
  }

  /** The state now and after each change, until the client is closed. */
  async *states(): AsyncGenerator<ConnectionState, void, undefined> {
    let told: grpc.connectivityState | undefined;
    while (!this.#isClosed) {
      const channel = this.#client.getChannel();
      const state = channel.getConnectivityState(false);
      if (state === told) {
        await new Promise<void>((resolve) => {
          channel.watchConnectivityState(state, Infinity, () => {
            resolve();
          });
        });
        continue;
      }
      // It may turn while nobody waits, which only asking again shows.
      told = state;
      yield STATES[state];
    }
    yield "closed";
  }

  /**
   * Waits until the gateway answers.
   *
   * @throws {MxGatewayConnectionError} it cannot be reached; the text says why.
   * @throws {MxGatewayTimeoutError} no answer within `connectTimeoutMs`.
   */
  async ready(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const limit = this.options.connectTimeoutMs;
    const deadline = performance.now() + limit;
    const channel = this.#client.getChannel();
    for (;;) {
      const state = channel.getConnectivityState(true);
      if (state === grpc.connectivityState.READY) return;
      if (state === grpc.connectivityState.TRANSIENT_FAILURE) throw await this.#cause();
      await abortable(
        signal,
        new Promise<void>((resolve, reject) => {
          const until = limit > LONGEST_TIMER_MS ? Infinity : systemTime(deadline);
          channel.watchConnectivityState(state, until, (error) => {
            if (error) {
              const text = `${this.options.endpoint} did not answer within ${limit / 1000} s; is this the gateway's address and port?`;
              reject(new MxGatewayTimeoutError(text, { retryable: true }));
            } else resolve();
          });
        }),
      );
    }
  }

  /** Why there is no connection: the state does not say it, a call that fails at once does. */
  #cause(): Promise<MxGatewayError> {
    return new Promise((resolve) => {
      const deadline = systemTime(performance.now() + this.options.connectTimeoutMs);
      this.#client.makeUnaryRequest(
        "/grpc.health.v1.Health/Check",
        asItIs,
        asItIs,
        Buffer.alloc(0),
        new grpc.Metadata(),
        { deadline },
        (error) => {
          const { endpoint, plaintext } = this.options;
          const what = `cannot reach ${endpoint}${plaintext ? " without TLS" : ""}`;
          resolve(
            mapRpcError(error ?? { code: grpc.status.UNAVAILABLE, details: "" }, what, { isPlaintext: plaintext }),
          );
        },
      );
    });
  }

  /** One unary call; `isRepeatable` lets the retry policy repeat it. */
  async unary<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    request: MessageShape<I>,
    what: string,
    call: CallOptions & { isRepeatable?: boolean; isGalaxy?: boolean } = {},
  ): Promise<MessageShape<O>> {
    const limit = call.timeoutMs ?? this.options.callTimeoutMs;
    const deadline = performance.now() + limit;
    const policy = call.isRepeatable ? this.options.retry : undefined;
    const wire = wireOf(method);
    // Made once: for its size, and for every attempt.
    const body = wire.encode(request);
    this.checkSize(body.length, what, call.correlationId);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#attempt(wire, body, what, deadline, call);
      } catch (error) {
        if (policy === undefined || !isRetryable(error) || attempt >= policy.maxAttempts) throw error;
        const backoff = Math.min(policy.initialDelayMs * 2 ** (attempt - 1), policy.maxDelayMs);
        const delay = Math.max(backoff * Math.random(), error.retryAfterMs ?? 0);
        if (performance.now() + delay >= deadline) throw error;
        await this.#pause(delay, call.signal);
      }
    }
  }

  /** Waits between two attempts; closing ends that at once, which the next attempt tells. */
  async #pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
    const over = new AbortController();
    const pause = {
      cancel: (): void => {
        over.abort();
      },
    };
    this.#running.add(pause);
    signal?.addEventListener("abort", pause.cancel, { once: true });
    try {
      await sleep(milliseconds, over.signal);
    } catch {
      signal?.throwIfAborted();
    } finally {
      this.#running.delete(pause);
      signal?.removeEventListener("abort", pause.cancel);
    }
  }

  async #attempt<I extends DescMessage, O extends DescMessage>(
    wire: Wire<I, O>,
    body: Buffer,
    what: string,
    deadline: number,
    call: CallOptions & { isGalaxy?: boolean },
  ): Promise<MessageShape<O>> {
    call.signal?.throwIfAborted();
    this.checkOpen(what);
    const { metadata, key } = await this.metadata();
    this.checkOpen(what);
    call.signal?.throwIfAborted();
    return await new Promise<MessageShape<O>>((resolve, reject) => {
      // The call itself: what a grpc.Client lays around it for interceptors costs a tenth of all, and there are none.
      const made = this.#client.getChannel().createCall(wire.path, systemTime(deadline), null, null, null);
      const running = {
        cancel: (): void => {
          made.cancelWithStatus(grpc.status.CANCELLED, "cancelled by the caller");
        },
      };
      let reply: MessageShape<O> | undefined;
      made.start(metadata, {
        onReceiveMetadata: () => undefined,
        onReceiveMessage: (data: Buffer) => {
          try {
            reply = wire.decode(data);
          } catch (error) {
            made.cancelWithStatus(grpc.status.INTERNAL, `the reply cannot be read: ${String(error)}`);
          }
        },
        onReceiveStatus: (status) => {
          this.#running.delete(running);
          call.signal?.removeEventListener("abort", running.cancel);
          if (call.signal?.aborted) reject(call.signal.reason as Error);
          else if (status.code === grpc.status.OK && reply !== undefined) resolve(reply);
          else reject(this.failure(causeOf(status), what, key, call));
        },
      });
      this.#running.add(running);
      call.signal?.addEventListener("abort", running.cancel, { once: true });
      made.sendMessageWithContext({}, body);
      made.startRead();
      made.halfClose();
    });
  }

  /** Ends a stream with the client, until it has ended by itself. */
  #keep<T extends grpc.ClientReadableStream<unknown> | grpc.ClientDuplexStream<never, unknown>>(call: T): T {
    this.#running.add(call);
    const forget = (): void => {
      this.#running.delete(call);
    };
    call.once("end", forget);
    call.once("error", forget);
    call.once("close", forget);
    return call;
  }

  /** A server stream; it begins at once, and ends with its iterator, `close`, or the signal. */
  serverStream<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    request: MessageShape<I>,
    what: string,
    call: CallOptions & { isGalaxy?: boolean } = {},
  ): ServerStream<MessageShape<O>> {
    this.checkOpen(what);
    const wire = wireOf(method);
    const limit = call.timeoutMs ?? this.options.streamTimeoutMs;
    const settings: grpc.CallOptions = limit === undefined ? {} : { deadline: systemTime(performance.now() + limit) };
    const begin = (metadata: grpc.Metadata): grpc.ClientReadableStream<MessageShape<O>> => {
      this.checkOpen(what);
      return this.#keep(
        this.#client.makeServerStreamRequest(wire.path, wire.encode, wire.decode, request, metadata, settings),
      );
    };
    return new ServerStream(this.metadata(), begin, (error, key) => this.failure(error, what, key, call), call.signal);
  }

  /** A stream both ways, for whoever knows how to keep it. What is written to it has been encoded. */
  async duplexStream<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    what: string,
  ): Promise<{ call: grpc.ClientDuplexStream<Uint8Array, MessageShape<O>>; key: string | undefined }> {
    this.checkOpen(what);
    const wire = wireOf(method);
    const { metadata, key } = await this.metadata();
    this.checkOpen(what);
    const limit = this.options.streamTimeoutMs;
    const settings: grpc.CallOptions = limit === undefined ? {} : { deadline: systemTime(performance.now() + limit) };
    const call = this.#client.makeBidiStreamRequest(wire.path, bufferOf, wire.decode, metadata, settings);
    this.#keep(call);
    return { call, key };
  }

  failure(
    error: grpc.ServiceError | { code: number; details: string } | null,
    what: string,
    key: string | undefined,
    call: CallOptions & { isGalaxy?: boolean },
  ): MxGatewayError {
    if (this.#isClosed) return new MxGatewayTransportError(`${what}: the client was closed during the call`);
    const { correlationId = "", isGalaxy = false } = call;
    return mapRpcError(error ?? { code: grpc.status.UNKNOWN, details: "no reply" }, what, {
      key,
      correlationId,
      isGalaxy,
    });
  }

  /** What a call carries, not to be changed: the next one with the same key has it too. */
  async metadata(): Promise<{ metadata: grpc.Metadata; key: string | undefined }> {
    const given = this.options.apiKey;
    const key = typeof given === "function" ? await given() : given;
    if (key === this.#sent.key) return this.#sent;
    const metadata = new grpc.Metadata();
    if (key !== undefined) {
      checkApiKey(key);
      metadata.set("authorization", `Bearer ${key}`);
    }
    this.#sent = { metadata, key };
    return this.#sent;
  }

  /** @throws {MxGatewayResourceError} a message above the limit: on a stream it would end all that is under way. */
  checkSize(bytes: number, what: string, correlationId = ""): void {
    const limit = this.options.maxMessageBytes;
    if (bytes > limit - ENVELOPE_BYTES) {
      throw new MxGatewayResourceError(
        `${what}: ${bytes} bytes and their envelope are above the limit of a message, ${limit} (maxMessageBytes, which the gateway has, too); nothing was sent`,
        { correlationId, code: grpc.status.RESOURCE_EXHAUSTED, retryable: false },
      );
    }
  }

  /** @throws {MxGatewayTransportError} the client is closed. */
  checkOpen(what: string): void {
    if (this.#isClosed) throw new MxGatewayTransportError(`${what}: the client is closed`);
  }

  /** Closes the channel and ends all calls on it. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const running of [...this.#running]) running.cancel();
    this.#client.close();
  }
}

function isRetryable(error: unknown): error is MxGatewayError {
  return error instanceof Error && "retryable" in error && error.retryable === true;
}

function credentials(options: ResolvedOptions): grpc.ChannelCredentials {
  if (options.plaintext) return grpc.credentials.createInsecure();
  const roots = options.roots ?? (SYSTEM_ROOTS === undefined ? null : readFileSync(SYSTEM_ROOTS));
  return grpc.credentials.createSsl(roots, options.privateKey ?? null, options.certificate ?? null);
}

function channelOptions(options: ResolvedOptions): grpc.ChannelOptions {
  const found: grpc.ChannelOptions = {
    "grpc.max_receive_message_length": options.maxMessageBytes,
    "grpc.max_send_message_length": options.maxMessageBytes,
    "grpc.initial_reconnect_backoff_ms": 200,
    "grpc.max_reconnect_backoff_ms": MAX_BACKOFF_MS,
    "grpc.enable_retries": 0,
    // Nobody here asks for the figures that grpc-js would keep of each call.
    "grpc.enable_channelz": 0,
    "grpc.service_config_disable_resolution": 1,
    "grpc.enable_http_proxy": 0,
    "grpc-node.flow_control_window": FLOW_CONTROL_WINDOW,
    // A channel of its own for each client: closing one must not touch another.
    "grpc.use_local_subchannel_pool": 1,
  };
  if (options.keepaliveTimeMs > 0) {
    found["grpc.keepalive_time_ms"] = options.keepaliveTimeMs;
    found["grpc.keepalive_timeout_ms"] = options.keepaliveTimeoutMs;
    found["grpc.keepalive_permit_without_calls"] = 0;
  }
  if (options.serverNameOverride !== undefined) {
    found["grpc.ssl_target_name_override"] = options.serverNameOverride;
    found["grpc.default_authority"] = options.serverNameOverride;
  }
  return found;
}

/** A moment as grpc-js takes it: on the system's clock, which somebody may set. To be asked for right before a call. */
function systemTime(moment: number): number {
  // Whole: Node keeps a list of timers for each length, which calls of one limit then share.
  return Math.ceil(Date.now() + moment - performance.now());
}

/** How a call has ended without its reply, as the cause of an error of this library. */
function causeOf(status: grpc.StatusObject): grpc.ServiceError {
  const { OK, UNIMPLEMENTED } = grpc.status;
  const failed = status.code === OK ? { ...status, code: UNIMPLEMENTED, details: "no message came" } : status;
  return Object.assign(new Error(`${failed.code} ${grpc.status[failed.code]}: ${failed.details}`), failed);
}

/** Waits; ends with the signal's reason when that aborts first. */
export async function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

async function abortable<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (signal === undefined) return await work;
  let onAbort: (() => void) | undefined;
  try {
    return await Promise.race([
      work,
      new Promise<never>((_, reject) => {
        onAbort = () => {
          reject(signal.reason as Error);
        };
        signal.addEventListener("abort", onAbort, { once: true });
      }),
    ]);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener("abort", onAbort);
    work.catch(() => undefined);
  }
}

/**
 * An async iterable over a server stream. Messages that nobody takes stay in gRPC's window: there is no queue here but
 * for the sixteen that are read ahead. When the stream fails, gRPC drops those beyond them; resume after the last one.
 *
 * Leaving a `for await`, `close()` or the signal ends the gRPC stream. That never aborts a COM call in the worker.
 */
export class ServerStream<T> implements AsyncIterableIterator<T> {
  #call: grpc.ClientReadableStream<T> | undefined;
  #iterator: AsyncIterator<T> | undefined;
  #isFinished = false;
  #isClosed = false;
  #key: string | undefined;
  // How the call ended: told apart from its messages, and sometimes before anybody waits for them.
  #status: Promise<grpc.StatusObject> | undefined;
  readonly #begun: Promise<void>;
  readonly #failure: (error: grpc.ServiceError, key: string | undefined) => MxGatewayError;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => {
    this.#call?.cancel();
  };
  /** true once the gateway has accepted the stream, false when it has refused it, which iterating tells. */
  readonly opened: Promise<boolean>;

  constructor(
    metadata: Promise<{ metadata: grpc.Metadata; key: string | undefined }>,
    begin: (metadata: grpc.Metadata) => grpc.ClientReadableStream<T>,
    failure: (error: grpc.ServiceError, key: string | undefined) => MxGatewayError,
    signal: AbortSignal | undefined,
  ) {
    this.#failure = failure;
    this.#signal = signal;
    let tell: (isOpen: boolean) => void = () => undefined;
    this.opened = new Promise((resolve) => {
      tell = resolve;
    });
    this.#begun = metadata.then(({ metadata: sent, key }) => {
      if (this.#isClosed || signal?.aborted) {
        tell(false);
        return;
      }
      this.#key = key;
      const call = begin(sent);
      this.#call = call;
      this.#status = new Promise((resolve) => {
        call.once("status", resolve);
      });
      this.#iterator = call[Symbol.asyncIterator]() as AsyncIterator<T>;
      // gRPC drops a message that nobody has asked for yet when the stream fails behind it (grpc-node #2764).
      call.read(0);
      call.once("metadata", () => {
        tell(true);
      });
      // Also the listener without which an error that nobody awaits yet would end the process.
      call.on("error", () => {
        tell(false);
      });
      call.once("end", () => {
        tell(false);
      });
      signal?.addEventListener("abort", this.#onAbort, { once: true });
    });
    this.#begun.catch(() => {
      tell(false);
    });
  }

  /** Whether the stream has ended, by whatever cause. */
  get finished(): boolean {
    return this.#isFinished;
  }

  /** Itself: it is iterated once. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next message; done after an ordinary end and after `close`. Throws what the stream has ended with. */
  async next(): Promise<IteratorResult<T, undefined>> {
    if (this.#isFinished) return { done: true, value: undefined };
    try {
      this.#signal?.throwIfAborted();
      await this.#begun;
      if (this.#iterator === undefined) return this.#end();
      const found = await this.#iterator.next();
      if (!found.done) return { done: false, value: found.value };
      const status = await this.#status;
      if (status !== undefined && status.code !== grpc.status.OK)
        throw Object.assign(new Error(status.details), status);
      return this.#end();
    } catch (error) {
      const wasClosed = this.#isClosed;
      this.#end();
      if (this.#signal?.aborted) throw this.#signal.reason;
      if (wasClosed) return { done: true, value: undefined };
      if (error instanceof Error && "code" in error) throw this.#failure(error as grpc.ServiceError, this.#key);
      throw error;
    }
  }

  /** Ends the stream at once. Idempotent. */
  close(): void {
    this.#isClosed = true;
    // Of a stream that was left nobody may ask for the end, where the listener goes otherwise.
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#call?.cancel();
  }

  /** Ends the stream: leaving a `for await` loop calls this. */
  return(): Promise<IteratorResult<T, undefined>> {
    this.close();
    return Promise.resolve(this.#end());
  }

  /** `close`, at the end of an `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #end(): IteratorResult<T, undefined> {
    this.#isFinished = true;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    return { done: true, value: undefined };
  }
}
