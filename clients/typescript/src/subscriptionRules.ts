/** What a subscription decides without state: which errors pass, which arguments are wrong. */

import { status as Code } from "@grpc/grpc-js";

import {
  MxGatewayConnectionError,
  MxGatewayError,
  MxGatewayResourceError,
  MxGatewayTimeoutError,
  MxGatewayTransportError,
} from "./errors.js";
import { ProtocolStatusCode } from "./gen/mxaccess_gateway_pb.js";
import type { MxTime } from "./time.js";
import { MAX_BULK_ITEMS } from "./version.js";

export function isBefore(one: MxTime, other: MxTime): boolean {
  return one.seconds < other.seconds || (one.seconds === other.seconds && one.nanos < other.nanos);
}

export function isTransient(error: unknown): boolean {
  if (
    error instanceof MxGatewayConnectionError ||
    error instanceof MxGatewayTimeoutError ||
    error instanceof MxGatewayResourceError
  ) {
    return true;
  }
  if (!(error instanceof MxGatewayError)) return false;
  if (error.protocolStatus?.code === ProtocolStatusCode.CANCELED) return true;
  const passing: readonly (number | undefined)[] = [Code.INTERNAL, Code.UNKNOWN, Code.ABORTED, Code.DATA_LOSS];
  return error instanceof MxGatewayTransportError && passing.includes(error.code);
}

export function* chunks<T>(items: readonly T[]): Generator<T[]> {
  for (let start = 0; start < items.length; start += MAX_BULK_ITEMS) yield items.slice(start, start + MAX_BULK_ITEMS);
}

export function checkedTags(tags: Iterable<string>): string[] {
  const given: unknown = tags;
  if (typeof given === "string" || given === null || given === undefined)
    throw new TypeError("tags is no list; give a list of references");
  const found = [...tags];
  if (found.some((tag) => typeof tag !== "string")) throw new TypeError("tags holds something else than texts");
  return found;
}

export function checkedSize(size: number, atLeast: number): number {
  if (!Number.isInteger(size) || size < 1) throw new RangeError(`queueSize is ${size}; at least 1 is needed`);
  return atLeast;
}
