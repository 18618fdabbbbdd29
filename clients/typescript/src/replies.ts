/** What a reply says: success, a failure of the gateway, or a failure of MXAccess. */

import { nameOf } from "./enums.js";
import { CLASS_OF_KIND, type ErrorClass, MxAccessError, MxGatewayProtocolError, classOfReason } from "./errors.js";
import {
  type MxCommandReply,
  type OpenSessionReply,
  type ProtocolStatus,
  ProtocolStatusCode as Code,
} from "./gen/mxaccess_gateway_pb.js";
import { isStatusFailure, statusText } from "./quality.js";
import { ERRORS, HRESULT_MEANINGS } from "./tables.js";
import { GATEWAY_PROTOCOL_VERSION } from "./version.js";

/** An HRESULT as people write it. */
export function hresultText(hresult: number): string {
  return `0x${(hresult >>> 0).toString(16).toUpperCase().padStart(8, "0")}`;
}

/**
 * Throws when the gateway says that it could not do what was asked. A failure of MXAccess passes.
 *
 * @throws {MxGatewayError} the class that belongs to the protocol status.
 */
export function checkProtocol(
  reply: { protocolStatus?: ProtocolStatus | undefined },
  what: string,
  correlationId = "",
): void {
  const status = reply.protocolStatus;
  const code = status?.code ?? Code.UNSPECIFIED;
  if (code === Code.OK || code === Code.MXACCESS_FAILURE) return;
  const reason = status?.reason ?? "";
  const { retryAfter } = status ?? {};
  const retryAfterMs = retryAfter && Number(retryAfter.seconds) * 1000 + retryAfter.nanos / 1e6;
  const context = { rawReply: reply, protocolStatus: status, correlationId, reason, retryAfterMs };
  const Class = classOfReason(reason) ?? classOfStatus(code);
  if (Class === undefined) {
    throw new MxGatewayProtocolError(`${what}: the reply has no usable protocol status (code ${code})`, context);
  }
  const name = (nameOf(Code, code) ?? `status ${code}`).toLowerCase().replaceAll("_", " ");
  const { hresult, statuses } = reply as Partial<MxCommandReply>;
  throw new Class(`${what}: ${status?.message || name}`, { ...context, hresult, statuses: statuses ?? [] });
}

function classOfStatus(code: Code): ErrorClass | undefined {
  const kinds = ERRORS.byProtocolStatus as Readonly<Record<string, keyof typeof CLASS_OF_KIND>>;
  const kind = kinds[`PROTOCOL_STATUS_CODE_${nameOf(Code, code) ?? ""}`];
  return kind === undefined ? undefined : CLASS_OF_KIND[kind];
}

/**
 * Throws when MXAccess failed: by protocol status, by a negative HRESULT, or by a failed status entry.
 *
 * @throws {MxAccessError}
 */
export function checkMxAccess(reply: MxCommandReply, what: string): void {
  const { hresult, statuses, protocolStatus } = reply;
  const failed = statuses.filter(isStatusFailure);
  if (protocolStatus?.code !== Code.MXACCESS_FAILURE && failed.length === 0 && (hresult ?? 0) >= 0) return;
  const parts = [`${what} failed in MXAccess`];
  if (hresult !== undefined && hresult !== 0) parts.push(`HRESULT ${hresultText(hresult)}`);
  parts.push(...failed.map(statusText));
  let text = reply.diagnosticMessage || (protocolStatus?.message ?? "");
  if (hresult !== undefined) {
    // COM alone gives a number; what it means here is known.
    const meaning = HRESULT_MEANINGS.find((each) => each.method === what && each.hresult === hresult);
    text = meaning?.text ?? (text === hresultText(hresult) ? "" : text);
  }
  throw new MxAccessError(parts.join(", ") + (text ? `: ${text}` : ""), {
    rawReply: reply,
    hresult,
    statuses,
    protocolStatus,
    correlationId: reply.correlationId,
  });
}

/** An arm of MxCommandReply. */
export type ReplyArm = NonNullable<MxCommandReply["payload"]["case"]>;
/** The payload of an arm. */
export type PayloadOf<A extends ReplyArm> = Extract<MxCommandReply["payload"], { case: A }>["value"];

/**
 * The payload that a successful reply has to carry. A missing one never becomes a handle 0 or an empty list.
 *
 * @throws {MxGatewayProtocolError} it is not there.
 */
export function payload<A extends ReplyArm>(reply: MxCommandReply, arm: A): PayloadOf<A> {
  if (reply.payload.case !== arm) {
    throw new MxGatewayProtocolError(`the reply carries no ${arm} payload although the command succeeded`, {
      rawReply: reply,
      protocolStatus: reply.protocolStatus,
      correlationId: reply.correlationId,
    });
  }
  return reply.payload.value as PayloadOf<A>;
}

/**
 * A gateway that names the oldest client it serves takes all from that one up to its own version; another only its own.
 *
 * @throws {MxGatewayProtocolError} the versions do not fit.
 */
export function checkVersions(reply: OpenSessionReply): void {
  const newest = reply.gatewayProtocolVersion;
  const oldest = reply.minimumClientProtocolVersion || newest;
  if (oldest <= GATEWAY_PROTOCOL_VERSION && GATEWAY_PROTOCOL_VERSION <= newest) return;
  const spoken = oldest === newest ? String(newest) : `${newest} and serves clients from ${oldest} on`;
  throw new MxGatewayProtocolError(
    `the gateway speaks protocol version ${spoken}, this client ${GATEWAY_PROTOCOL_VERSION}; install the client version that belongs to the gateway`,
    { rawReply: reply, protocolStatus: reply.protocolStatus },
  );
}
