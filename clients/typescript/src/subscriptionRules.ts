/** What a subscription decides without state: which errors pass, which arguments are wrong. */

import { status as Code } from "@grpc/grpc-js";

import {
  MxGatewayConnectionError,
  MxGatewayError,
  MxGatewayResourceError,
  MxGatewaySessionError,
  MxGatewayTimeoutError,
  MxGatewayWorkerError,
} from "./errors.js";
import { ProtocolStatusCode } from "./gen/mxaccess_gateway_pb.js";
import type { MxTime } from "./time.js";

/** Whether one time is before another. */
export function isBefore(one: MxTime, other: MxTime): boolean {
  return one.seconds < other.seconds || (one.seconds === other.seconds && one.nanos < other.nanos);
}

const FIRST_DELAY_MS = 200;
/** The longest pause between attempts, and how long a connection has to hold to count as one. */
export const MAX_DELAY_MS = 5000;
const MAX_DOUBLINGS = 10;
// What proxies and a transport in trouble answer.
const TRANSIENT: readonly (number | undefined)[] = [Code.INTERNAL, Code.UNKNOWN, Code.ABORTED, Code.DATA_LOSS];

/** Whether only another session can go on. */
export function saysSessionLost(error: unknown): boolean {
  return error instanceof MxGatewaySessionError || error instanceof MxGatewayWorkerError;
}

/** Whether the same session may be there again later. */
export function isTransient(error: unknown): boolean {
  if (error instanceof MxGatewayResourceError) return error.retryable;
  if (error instanceof MxGatewayConnectionError || error instanceof MxGatewayTimeoutError) return true;
  if (!(error instanceof MxGatewayError)) return false;
  // Nobody here cancels a command: the gateway did, because it stops.
  return error.protocolStatus?.code === ProtocolStatusCode.CANCELED || TRANSIENT.includes(error.code);
}

/** Milliseconds before an attempt: none before the first, then doubled, with jitter; at least what the gateway asks. */
export function delayMs(attempt: number, failure: unknown, firstDelayMs = FIRST_DELAY_MS): number {
  const longest = attempt === 0 ? 0 : Math.min(MAX_DELAY_MS, firstDelayMs * 2 ** Math.min(attempt, MAX_DOUBLINGS));
  const asked = failure instanceof MxGatewayError ? (failure.retryAfterMs ?? 0) : 0;
  return Math.max(longest * (0.5 + Math.random() / 2), asked);
}

/** The items in lists of at most `size`. */
export function* chunks<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}

/** @throws {TypeError} no list, or something else than texts in it. */
export function checkedTags(tags: Iterable<string>): string[] {
  const given: unknown = tags;
  if (typeof given === "string" || given === null || given === undefined)
    throw new TypeError("tags is no list; give a list of references");
  const found = [...tags];
  if (found.some((tag) => typeof tag !== "string")) throw new TypeError("tags holds something else than texts");
  return found;
}
