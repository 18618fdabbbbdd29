/**
 * Errors of the client library.
 *
 * MxGatewayError
 * ├── MxGatewayTransportError          gRPC failed: no connection, refused request, a status without a class below
 * │   ├── MxGatewayConnectionError     the gateway is not reachable or is going away
 * │   ├── MxGatewayNotFoundError       what the request names is not there (Galaxy object)
 * │   └── MxGatewayResourceError       a limit of the gateway was met; try again later
 * ├── MxGatewayTimeoutError            the deadline was over
 * ├── MxGatewayAuthenticationError     no key, or a key that the gateway does not know
 * ├── MxGatewayAuthorizationError      the key may not do this
 * ├── MxGatewayProtocolError           a reply breaks the contract, or the versions do not fit
 * ├── MxGatewaySessionError            the session is not there, not ready, or closed
 * ├── MxGatewayWorkerError             the session's worker is gone, faulted or broke its protocol
 * ├── MxGatewayOverflowError           a local queue overflowed and its policy is to stop
 * └── MxGatewayCommandError            the gateway refused the command, or it ended without success
 *     └── MxAccessError                MXAccess itself failed: HRESULT and statuses say how
 *
 * A call that its caller cancels ends with the signal's own reason (an `AbortError`), which is none of these.
 */

import type { MxStatusProxy, ProtocolStatus } from "./gen/mxaccess_gateway_pb.js";
import { redact } from "./redact.js";
import { ERRORS } from "./tables.js";

/** What an error may carry beside its text. */
export interface ErrorContext {
  /** The generated reply that says so, where there is one. */
  readonly rawReply?: unknown;
  readonly protocolStatus?: ProtocolStatus | undefined;
  /** Id of the failed call, to find it in the gateway's logs. */
  readonly correlationId?: string;
  /** The gRPC status code of a failed call. */
  readonly code?: number | undefined;
  readonly retryable?: boolean | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly reason?: string;
  readonly cause?: unknown;
}

const BRAND = Symbol.for("mxgateway.error");

/** Base of all errors of this library. No text of an error contains an API key. */
export class MxGatewayError extends Error {
  static readonly retryableByClass: boolean = false;

  /** Machine-readable cause: the gateway's (google.rpc.ErrorInfo), or what is known of a connection; else empty. */
  readonly reason: string;
  /** Id of the failed call; empty when unknown. */
  readonly correlationId: string;
  /** The gRPC status code of a failed call, else undefined. */
  readonly code: number | undefined;
  /** Whether the same call may be sent again by hand. Never true for what may have changed the plant. */
  readonly retryable: boolean;
  /** Milliseconds that the gateway asks to wait before that. */
  readonly retryAfterMs: number | undefined;
  readonly protocolStatus: ProtocolStatus | undefined;
  readonly rawReply: unknown;

  constructor(message: string, context: ErrorContext = {}) {
    super(redact(message), context.cause === undefined ? undefined : { cause: context.cause });
    this.name = new.target.name;
    this.reason = context.reason ?? "";
    this.correlationId = context.correlationId ?? "";
    this.code = context.code;
    this.retryable = context.retryable ?? new.target.retryableByClass;
    this.retryAfterMs = context.retryAfterMs;
    this.protocolStatus = context.protocolStatus;
    // Not enumerable: whoever logs an error does not want all of a reply, and the branding even less.
    Object.defineProperty(this, "rawReply", { value: context.rawReply, enumerable: false });
    Object.defineProperty(this, BRAND, { value: true, enumerable: false });
  }

  /** Whether something is an error of this library, also of another copy of it in the same process. */
  static is(error: unknown): error is MxGatewayError {
    return typeof error === "object" && error !== null && BRAND in error;
  }
}

/** A gRPC call failed with a status that has no better class. */
export class MxGatewayTransportError extends MxGatewayError {}

/** The gateway cannot be reached, or it is going away (UNAVAILABLE). */
export class MxGatewayConnectionError extends MxGatewayTransportError {
  static override readonly retryableByClass: boolean = true;
}

/** What the request names does not exist, for example the root of a Galaxy browse (NOT_FOUND). */
export class MxGatewayNotFoundError extends MxGatewayTransportError {}

/** A limit of the gateway was met: sessions, pending commands, event queue (RESOURCE_EXHAUSTED). */
export class MxGatewayResourceError extends MxGatewayTransportError {
  static override readonly retryableByClass: boolean = true;
}

/**
 * The deadline of a call was over. The MXAccess call may still be running, and a write may still take effect: the
 * outcome is unknown, so the call is never repeated by itself.
 */
export class MxGatewayTimeoutError extends MxGatewayError {}

/** The call carried no API key, or one that the gateway does not accept (UNAUTHENTICATED). */
export class MxGatewayAuthenticationError extends MxGatewayError {}

/** The API key may not do this: a scope or a constraint is missing (PERMISSION_DENIED). */
export class MxGatewayAuthorizationError extends MxGatewayError {}

/** A reply breaks the contract: its payload is missing, a page token repeats, or the versions do not fit. */
export class MxGatewayProtocolError extends MxGatewayError {}

/** The session does not exist, is not ready, or is closed. */
export class MxGatewaySessionError extends MxGatewayError {}

/** The session's worker process is gone, has faulted, or broke the pipe's protocol. Open a new session. */
export class MxGatewayWorkerError extends MxGatewayError {}

/** A local queue overflowed because its consumer was too slow, and its policy is to stop. */
export class MxGatewayOverflowError extends MxGatewayError {}

/** What an error of a command carries beside its text. */
export interface CommandContext extends ErrorContext {
  readonly hresult?: number | undefined;
  readonly statuses?: readonly MxStatusProxy[];
}

/** A command ended without success; `rawReply` holds the whole MxCommandReply. */
export class MxGatewayCommandError extends MxGatewayError {
  /** HRESULT of the reply as a signed 32-bit number, where it has one. */
  readonly hresult: number | undefined;
  /** The reply's MxStatusProxy entries. */
  readonly statuses: readonly MxStatusProxy[];

  constructor(message: string, context: CommandContext = {}) {
    super(message, context);
    this.hresult = context.hresult;
    this.statuses = context.statuses ?? [];
  }
}

/** MXAccess refused or failed the call; `hresult` and `statuses` are what COM answered. */
export class MxAccessError extends MxGatewayCommandError {}

/** A class of this tree. */
export type ErrorClass = new (message: string, context?: CommandContext) => MxGatewayError;

/** The classes by the name that the conformance suite has for each. */
export const CLASS_OF_KIND = {
  transport: MxGatewayTransportError,
  connection: MxGatewayConnectionError,
  notfound: MxGatewayNotFoundError,
  resource: MxGatewayResourceError,
  timeout: MxGatewayTimeoutError,
  authentication: MxGatewayAuthenticationError,
  authorization: MxGatewayAuthorizationError,
  protocol: MxGatewayProtocolError,
  session: MxGatewaySessionError,
  worker: MxGatewayWorkerError,
  overflow: MxGatewayOverflowError,
  command: MxGatewayCommandError,
  mxaccess: MxAccessError,
} as const satisfies Record<string, ErrorClass>;

/** The class that a cause stands for, where it alone says it. */
export function classOfReason(reason: string): ErrorClass | undefined {
  if (reason.startsWith(ERRORS.workerReasonPrefix)) return MxGatewayWorkerError;
  const kind = (ERRORS.byReason as Readonly<Record<string, keyof typeof CLASS_OF_KIND>>)[reason];
  return kind === undefined ? undefined : CLASS_OF_KIND[kind];
}
