/** gRPC failures as errors of this library. */

import { BinaryReader } from "@bufbuild/protobuf/wire";
import { status as Code, type Metadata } from "@grpc/grpc-js";

import {
  CLASS_OF_KIND,
  type ErrorClass,
  MxGatewayConnectionError,
  type MxGatewayError,
  MxGatewayTransportError,
  classOfReason,
} from "./errors.js";
import { redact } from "./redact.js";
import { ERRORS } from "./tables.js";

/** What grpc-js hands over when a call fails. */
export interface RpcFailure {
  readonly code: number;
  readonly details: string;
  readonly metadata?: Metadata;
}

type Kinds = Readonly<Record<string, keyof typeof CLASS_OF_KIND>>;

/** What texts of gRPC and TLS mean, and what to do: the first sign that fits counts. */
const HINTS: readonly (readonly [sign: RegExp, reason: string, remedy: string])[] = [
  [
    /certificate has expired/i,
    "CERTIFICATE_EXPIRED",
    "the gateway's certificate has ended, or this machine's clock is wrong: compare the date here and on the gateway's machine",
  ],
  [
    /certificate is not yet valid/i,
    "CERTIFICATE_NOT_YET_VALID",
    "this machine's clock is behind, or the gateway's was ahead when it made its certificate: compare both dates",
  ],
  [
    /unable to (get|verify)|self.signed certificate/i,
    "CERTIFICATE_NOT_TRUSTED",
    "caFile has to be the authority that signed this gateway's certificate: its own gateway-ca.pem, or your company's",
  ],
  [
    /does not match certificate|altnames|host: /i,
    "CERTIFICATE_FOR_ANOTHER_NAME",
    "the certificate is for another name; use that name or serverNameOverride",
  ],
  [/certificate.required/i, "CLIENT_CERTIFICATE_REQUIRED", "give clientCertificateFile and clientKeyFile"],
  [/wrong version number/i, "NOT_TLS", "the port does not speak TLS; ask for plaintext by name (plaintext: true)"],
  [
    /larger than max|message size/i,
    "MESSAGE_TOO_LARGE",
    "the limit of a message: ask for less at once, or raise maxMessageBytes here and in the gateway",
  ],
  [/ECONNREFUSED/, "CONNECTION_REFUSED", "nothing listens there; is the gateway running, and is this its port?"],
  [/ENOTFOUND|name resolution/i, "NAME_UNKNOWN", "no machine has this name; is it spelt right?"],
];

/** What a connection without TLS fails with where the other side speaks it, and gRPC knows no cause. */
const MAYBE_TLS = [
  /failed to connect|socket closed|ECONNRESET|dropped/i,
  "TLS_EXPECTED",
  "the port may speak TLS: leave out plaintext and give caFile",
] as const;

// What grpc-js says when the connection of a call has just gone.
const CONNECTION_GONE_CODES: ReadonlySet<number> = new Set([Code.INTERNAL, Code.UNKNOWN]);
const CONNECTION_GONE = /internal client error|ECONNRESET|ended without|socket hang up|session was destroyed/i;

const NO_KEY = "no key was sent; give apiKey";
const KEY_REFUSED = "a key was sent, but this gateway does not know it, or it was revoked or is not valid now";

/** What is known of a call that failed. */
export interface FailureContext {
  /** The API key that was sent, to keep it out of the text. */
  readonly key?: string | undefined;
  readonly correlationId?: string;
  /** Whether NOT_FOUND speaks of a Galaxy object and not of a session. */
  readonly isGalaxy?: boolean;
  /** Whether a connection was tried without TLS. */
  readonly isPlaintext?: boolean;
}

/**
 * The error of this library for a failed gRPC call.
 *
 * @param what the call, for the text.
 */
export function mapRpcError(
  failure: RpcFailure,
  what: string,
  { key, correlationId = "", isGalaxy = false, isPlaintext = false }: FailureContext,
): MxGatewayError {
  const details = redact(failure.details, key);
  const { reason, retryAfterMs } = richDetails(failure.metadata);
  const hints = isPlaintext ? [...HINTS, MAYBE_TLS] : HINTS;
  const hint = reason ? undefined : hints.find(([sign]) => sign.test(details));
  const name = Code[failure.code] ?? String(failure.code);
  let text = `${what}: ${name}${hint ? ` (${hint[2]})` : ""}${details ? `: ${details}` : ""}`;
  if (failure.code === Code.UNAUTHENTICATED) text += ` (${key ? KEY_REFUSED : NO_KEY})`;
  const isGone = CONNECTION_GONE_CODES.has(failure.code) && CONNECTION_GONE.test(details);
  const Class = isGone ? MxGatewayConnectionError : classOf(failure.code, reason, isGalaxy);
  return new Class(text, {
    correlationId,
    code: failure.code,
    // Too large once is too large always.
    retryable: hint?.[1] === "MESSAGE_TOO_LARGE" ? false : undefined,
    retryAfterMs,
    reason: reason || (hint?.[1] ?? ""),
    cause: failure,
  });
}

function classOf(code: number, reason: string, isGalaxy: boolean): ErrorClass {
  const name = Code[code] ?? "";
  const byService: Kinds = isGalaxy ? ERRORS.ofGalaxy : ERRORS.ofGateway;
  const kind = (ERRORS.byCode as Kinds)[name] ?? byService[name];
  return classOfReason(reason) ?? (kind === undefined ? MxGatewayTransportError : CLASS_OF_KIND[kind]);
}

/** Reason (ErrorInfo) and wait (RetryInfo) from google.rpc.Status in the trailers; nothing where it cannot be read. */
export function richDetails(metadata: Metadata | undefined): { reason: string; retryAfterMs: number | undefined } {
  const found: { reason: string; retryAfterMs: number | undefined } = { reason: "", retryAfterMs: undefined };
  const blob = metadata?.get("grpc-status-details-bin")[0];
  if (!(blob instanceof Uint8Array)) return found;
  try {
    for (const detail of fields(blob).get(3) ?? []) {
      if (!(detail instanceof Uint8Array)) continue;
      const any = fields(detail);
      const type = textOf(any.get(1)?.[0]);
      const value = any.get(2)?.[0];
      if (!(value instanceof Uint8Array)) continue;
      if (type.endsWith("/google.rpc.ErrorInfo")) {
        found.reason = textOf(fields(value).get(1)?.[0]);
      } else if (type.endsWith("/google.rpc.RetryInfo")) {
        const delay = fields(value).get(1)?.[0];
        const parts = delay instanceof Uint8Array ? fields(delay) : new Map<number, Part[]>();
        found.retryAfterMs = Number(parts.get(1)?.[0] ?? 0n) * 1000 + Number(parts.get(2)?.[0] ?? 0n) / 1e6;
      }
    }
  } catch {
    // Whoever wrote them wrong: the error itself stands all the same.
    return { reason: "", retryAfterMs: undefined };
  }
  return found;
}

type Part = Uint8Array | bigint;

/** The fields of a message without a schema: what is length-delimited as bytes, varints as numbers. */
function fields(data: Uint8Array): Map<number, Part[]> {
  const reader = new BinaryReader(data);
  const found = new Map<number, Part[]>();
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    let part: Part;
    if (wireType === 0) part = BigInt(reader.int64());
    else if (wireType === 2) part = reader.bytes();
    else {
      reader.skip(wireType, number);
      continue;
    }
    found.set(number, [...(found.get(number) ?? []), part]);
  }
  return found;
}

function textOf(part: Part | undefined): string {
  return part instanceof Uint8Array ? new TextDecoder().decode(part) : "";
}
