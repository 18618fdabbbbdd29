/** The client of the gateway service. */

import { create } from "@bufbuild/protobuf";

import { nextCorrelationId } from "./correlation.js";
import {
  type AcknowledgeAlarmReply,
  type AcknowledgeAlarmRequest,
  type AcknowledgeAlarmsReply,
  type AcknowledgeAlarmsRequest,
  type ActiveAlarmSnapshot,
  type AlarmFeedMessage,
  BackpressurePolicy,
  type CloseSessionReply,
  type CloseSessionRequest,
  MxAccessGateway,
  type MxCommandReply,
  type MxCommandRequest,
  type OpenSessionReply,
  OpenSessionReplySchema,
  type OpenSessionRequest,
  OpenSessionRequestSchema,
  type QueryActiveAlarmsRequest,
  type StreamAlarmsRequest,
} from "./gen/mxaccess_gateway_pb.js";
import { methodName } from "./commands.js";
import type { ClientOptions } from "./options.js";
import { checkMxAccess, checkProtocol, checkVersions } from "./replies.js";
import { Session } from "./session.js";
import type { SubscribeOptions } from "./dataChange.js";
import { Subscription } from "./subscription.js";
import { durationOf } from "./time.js";
import { type CallOptions, type ConnectionState, type ServerStream, Transport } from "./transport.js";

const { method } = MxAccessGateway;

/** What a session is opened with. */
export interface SessionOptions extends CallOptions {
  /** A name for the gateway's logs and lists. */
  readonly clientSessionName?: string;
  /** Empty for the gateway's default, else `simulator`, `com` or `replay`. */
  readonly requestedBackend?: string;
  /** Limit of each command in the gateway in milliseconds. */
  readonly commandTimeoutMs?: number;
  /** Options of the backend, where the gateway allows them. */
  readonly backendOptions?: Readonly<Record<string, string>>;
  /** What the gateway does when this session's events are not taken fast enough. */
  readonly backpressurePolicy?: BackpressurePolicy;
  /** Keeps the session while no connection of its client is there, for another process that attaches to it later. */
  readonly keepWhenDisconnected?: boolean;
}

/** A connection to a gateway; sessions are opened on it. One client serves any number of sessions. */
export class GatewayClient {
  readonly #transport: Transport;

  /**
   * Makes a client without connecting; the first call does. `connect` is the usual way.
   *
   * @throws {TypeError} options that make no sense.
   */
  constructor(options: ClientOptions) {
    this.#transport = new Transport(options);
  }

  /**
   * Connects to a gateway.
   *
   * @throws {TypeError} options that make no sense.
   * @throws {MxGatewayConnectionError} it cannot be reached, or its certificate is not trusted.
   * @throws {MxGatewayTimeoutError} no answer within `connectTimeoutMs`.
   */
  static async connect(options: ClientOptions & { readonly signal?: AbortSignal }): Promise<GatewayClient> {
    const client = new GatewayClient(options);
    try {
      await client.#transport.ready(options.signal);
    } catch (error) {
      client.#transport.close();
      throw error;
    }
    return client;
  }

  /** Where the connection stands now. */
  get connectionState(): ConnectionState {
    return this.#transport.state;
  }

  /** The state now and after each change, until the client is closed. */
  connectionStates(): AsyncIterable<ConnectionState> {
    return this.#transport.states();
  }

  /**
   * Opens a session, that is a worker process of one's own.
   *
   * @throws {MxGatewayProtocolError} gateway and client speak different versions; the session is closed again.
   */
  async openSession(options: SessionOptions = {}): Promise<Session> {
    const request = create(OpenSessionRequestSchema, {
      requestedBackend: options.requestedBackend ?? "",
      clientSessionName: options.clientSessionName ?? "",
      clientCorrelationId: options.correlationId || nextCorrelationId(),
      backendOptions: { ...options.backendOptions },
      backpressurePolicy: options.backpressurePolicy ?? BackpressurePolicy.UNSPECIFIED,
      keepWhenDisconnected: options.keepWhenDisconnected ?? false,
    });
    const limit = options.commandTimeoutMs;
    if (limit !== undefined) {
      if (!(limit > 0 && Number.isFinite(limit)))
        throw new RangeError(`commandTimeoutMs is ${limit}, but needs to be positive`);
      request.commandTimeout = durationOf(limit);
    }
    const reply = await this.openSessionRaw(request, options);
    const session = new Session(this.#transport, reply, options.backpressurePolicy);
    try {
      checkVersions(reply);
    } catch (error) {
      await session.close().catch(() => undefined);
      throw error;
    }
    return session;
  }

  /** A session that somebody has opened, by its id; nothing is sent. */
  attachSession(sessionId: string, capabilities: Iterable<string> = []): Session {
    if (!sessionId) throw new TypeError("sessionId is empty");
    return new Session(this.#transport, create(OpenSessionReplySchema, { sessionId, capabilities: [...capabilities] }));
  }

  /** Changes of some tags, in a session of their own that is opened anew when it is lost. */
  subscribe(
    tags: Iterable<string>,
    options: SubscribeOptions & { readonly clientSessionName?: string } = {},
  ): Subscription {
    const clientSessionName = options.clientSessionName ?? "subscription";
    return new Subscription(tags, options, {
      openSession: (signal) => this.openSession({ clientSessionName, signal }),
      ownsSessions: true,
    });
  }

  // ------------------------------------------------------------------------------------------- generated messages

  /** OpenSession with the generated messages; only the protocol status is checked. */
  async openSessionRaw(request: OpenSessionRequest, call: CallOptions = {}): Promise<OpenSessionReply> {
    const correlationId = request.clientCorrelationId;
    const reply = await this.#transport.unary(method.openSession, request, "OpenSession", { ...call, correlationId });
    checkProtocol(reply, "OpenSession", correlationId);
    return reply;
  }

  /** CloseSession with the generated messages. */
  async closeSessionRaw(request: CloseSessionRequest, call: CallOptions = {}): Promise<CloseSessionReply> {
    const correlationId = request.clientCorrelationId;
    const reply = await this.#transport.unary(method.closeSession, request, "CloseSession", { ...call, correlationId });
    checkProtocol(reply, "CloseSession", correlationId);
    return reply;
  }

  /** Invoke with the generated messages; a failure of MXAccess stays in the reply. */
  async invokeRaw(request: MxCommandRequest, call: CallOptions = {}): Promise<MxCommandReply> {
    const what = methodName(request.command?.kind ?? 0);
    const correlationId = request.clientCorrelationId;
    const reply = await this.#transport.unary(method.invoke, request, what, { ...call, correlationId });
    checkProtocol(reply, what, correlationId);
    return reply;
  }

  /** Invoke with the generated messages, the reply checked in full. */
  async invoke(request: MxCommandRequest, call: CallOptions = {}): Promise<MxCommandReply> {
    const reply = await this.invokeRaw(request, call);
    checkMxAccess(reply, methodName(request.command?.kind ?? 0));
    return reply;
  }

  /** Acknowledges an alarm. */
  async acknowledgeAlarm(request: AcknowledgeAlarmRequest, call: CallOptions = {}): Promise<AcknowledgeAlarmReply> {
    const correlationId = request.clientCorrelationId;
    const reply = await this.#transport.unary(method.acknowledgeAlarm, request, "AcknowledgeAlarm", {
      ...call,
      correlationId,
    });
    checkProtocol(reply, "AcknowledgeAlarm", correlationId);
    return reply;
  }

  /**
   * Acknowledges many alarms, 1,000 at most, or those that a filter takes together with the number that it must match.
   * What the plant says to each is in the reply.
   */
  async acknowledgeAlarms(request: AcknowledgeAlarmsRequest, call: CallOptions = {}): Promise<AcknowledgeAlarmsReply> {
    const correlationId = request.clientCorrelationId;
    const reply = await this.#transport.unary(method.acknowledgeAlarms, request, "AcknowledgeAlarms", {
      ...call,
      correlationId,
    });
    checkProtocol(reply, "AcknowledgeAlarms", correlationId);
    return reply;
  }

  /** The alarms that are active now. */
  queryActiveAlarms(request: QueryActiveAlarmsRequest, call: CallOptions = {}): ServerStream<ActiveAlarmSnapshot> {
    return this.#transport.serverStream(method.queryActiveAlarms, request, "QueryActiveAlarms", call);
  }

  /** The list of alarms, then each change of it. */
  streamAlarms(request: StreamAlarmsRequest, call: CallOptions = {}): ServerStream<AlarmFeedMessage> {
    return this.#transport.serverStream(method.streamAlarms, request, "StreamAlarms", call);
  }

  /** Closes the connection and ends all calls on it; sessions that are open end by themselves. Idempotent. */
  close(): Promise<void> {
    this.#transport.close();
    return Promise.resolve();
  }

  /** `close`, at the end of an `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
