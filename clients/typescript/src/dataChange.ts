/** One change of a tag, and how to subscribe to it. */

import type { OverflowPolicy } from "./changeQueue.js";
import type { BulkReadResult, MxEvent, MxStatusProxy } from "./gen/mxaccess_gateway_pb.js";
import { isGood, isStatusFailure } from "./quality.js";
import { MxTime } from "./time.js";
import type { CallOptions } from "./transport.js";
import { type MxOutput, fromMxValue } from "./values.js";

/**
 * Where a subscription stands: `starting` (the tags are not all subscribed yet), `connected`, `reconnecting` (values may
 * be out of date), `recovered` (connected again after an interruption), `closed`.
 */
export type SubscriptionState = "starting" | "connected" | "reconnecting" | "recovered" | "closed";

/** One change of a tag. */
export interface DataChange {
  /** The reference as it was given. */
  readonly tag: string;
  readonly value: MxOutput;
  /** The OPC quality word. */
  readonly quality: number;
  readonly sourceTimestamp: MxTime | undefined;
  readonly statuses: readonly MxStatusProxy[];
  /** 0n for a value that was read again after an interruption. */
  readonly workerSequence: bigint;
  /** Whether the gateway sent it again after an interruption; it happened meanwhile. */
  readonly replayed: boolean;
  /** Whether it is a current value after changes that nobody knows, not a change of its own. */
  readonly recovered: boolean;
  /** Changes of this subscription that were lost before this one, as far as anybody counted them. */
  readonly lostBefore: number;
  /** Whether the quality is good and no status failed. */
  readonly isGood: boolean;
  readonly raw: MxEvent | BulkReadResult;
}

/** The change of an OnDataChange event or of a read result, which has no sequence of its own. */
export function changeOf(
  tag: string,
  raw: MxEvent | BulkReadResult,
  workerSequence: bigint,
  replayed: boolean,
  recovered: boolean,
): DataChange {
  return {
    tag,
    value: raw.value === undefined ? null : fromMxValue(raw.value),
    quality: raw.quality,
    sourceTimestamp: raw.sourceTimestamp && MxTime.fromTimestamp(raw.sourceTimestamp),
    statuses: raw.statuses,
    workerSequence,
    replayed,
    recovered,
    lostBefore: 0,
    isGood: isGood(raw.quality) && (raw.statuses.length === 0 || !raw.statuses.some(isStatusFailure)),
    raw,
  };
}

/** Figures of a subscription's life so far. */
export interface SubscriptionStats {
  /** How often changes were lost between plant and queue. */
  readonly gaps: number;
  /** Events of the session that are known to be lost on their way from the gateway. */
  readonly lost: number;
  /** Changes that the overflow policy dropped. */
  readonly dropped: number;
  /** How often the stream broke. */
  readonly interruptions: number;
  /** How often the session was lost and a new one was opened; each time is one of `gaps`. */
  readonly newSessions: number;
  /** Changes in the queue now. */
  readonly waiting: number;
  /** Why the stream broke last, or could not be opened again since. */
  readonly lastInterruption: Error | undefined;
}

/** How to subscribe. */
export interface SubscribeOptions {
  /** Ends the subscription when it aborts; whoever waits gets its reason. */
  readonly signal?: NonNullable<CallOptions["signal"]>;
  /** Changes that may wait for the consumer; default 10,000, never less than twice the tags. */
  readonly queueSize?: number;
  readonly overflow?: OverflowPolicy;
  /** AdviseSupervisory in place of Advise. */
  readonly supervisory?: boolean;
  /** false ends the subscription with its error as soon as the stream breaks. */
  readonly reconnect?: boolean;
  /** Told when the policy `warn` lets more wait. */
  readonly onWarning?: (text: string) => void;
  /** Milliseconds of the second pause between attempts, which doubles from then on up to 5 s; the first is none. */
  readonly firstDelayMs?: number;
}
