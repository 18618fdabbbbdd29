/** One change of a tag, and how to subscribe to it. */

import type { OverflowPolicy } from "./changeQueue.js";
import type { BulkReadResult, MxEvent, MxStatusProxy } from "./gen/mxaccess_gateway_pb.js";
import type { MxTime } from "./time.js";
import type { CallOptions } from "./transport.js";
import type { MxOutput } from "./values.js";

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

/** How to subscribe. */
export interface SubscribeOptions extends Pick<CallOptions, "signal"> {
  /** Changes that may wait for the consumer; default 10,000, never less than twice the tags. */
  readonly queueSize?: number;
  readonly overflow?: OverflowPolicy;
  /** AdviseSupervisory in place of Advise. */
  readonly supervisory?: boolean;
  /** false ends the subscription with its error as soon as the stream breaks. */
  readonly reconnect?: boolean;
  /** Told when the policy `warn` lets more wait. */
  readonly onWarning?: (text: string) => void;
  /** Milliseconds of the first pause before another attempt; for tests. */
  readonly firstDelayMs?: number;
}
