/**
 * What the events of a session mean for a subscription: position, gaps, and the marks of a change.
 *
 * Without I/O and clock: events and read results in, changes out.
 */

import { type DataChange, changeOf } from "./dataChange.js";
import {
  type BulkReadResult,
  type MxEvent,
  MxEventOrigin,
  type MxStatusProxy,
  type ReplayGap,
} from "./gen/mxaccess_gateway_pb.js";
import { isStatusFailure, statusText } from "./quality.js";
import { isBefore } from "./subscriptionRules.js";
import { MxTime } from "./time.js";

/** Which item belongs to which tag. */
export interface Tags {
  /** The wanted tag that an event belongs to. */
  tagOf(event: MxEvent): string | undefined;
  /** Whether the reply that names the event's item may still be under way. */
  mayComeToKnow(event: MxEvent): boolean;
}

/** Where a subscription stands in its session's events, and what it has missed. */
export class ChangeReader {
  readonly #tags: Tags;
  /** workerSequence of the youngest event; 0n before the first one of a session. */
  position = 0n;
  /** How often changes were lost. */
  gaps = 0;
  /** Events that are known to be lost. */
  lost = 0;
  /** Tags whose first value says that they have none, with the reason; until a value without a failure comes. */
  readonly unresolved = new Map<string, string>();
  readonly #seen = new Set<string>();
  /** Source time of the value that was read again: older events than that are history. */
  readonly #readAt = new Map<string, MxTime>();
  /** Tags whose next value replaces what was missed. */
  readonly #renewed = new Set<string>();
  readonly #takeLost: () => number;
  /** A first value may overtake the reply that tells which tag its item is; with what was lost before it. */
  #early: [MxEvent, boolean, number][] = [];

  /** `takeLost` gives what was lost before the next change, which an event that has to wait takes with it. */
  constructor(tags: Tags, takeLost: () => number) {
    this.#tags = tags;
    this.#takeLost = takeLost;
  }

  /**
   * A session that has no history yet takes the place of the former one; the first value of `renewed` is recovered.
   *
   * @returns what was lost before events that have waited in vain.
   */
  beginSession(renewed: readonly string[]): number {
    const lost = this.#early.reduce((sum, [, , count]) => sum + count, 0);
    this.position = 0n;
    this.unresolved.clear();
    this.#seen.clear();
    this.#readAt.clear();
    this.#early = [];
    this.#renewed.clear();
    for (const tag of renewed) this.#renewed.add(tag);
    return lost;
  }

  /** These tags are wanted no more. */
  forget(tags: readonly string[]): void {
    for (const tag of tags) {
      this.#renewed.delete(tag);
      this.#readAt.delete(tag);
      this.#seen.delete(tag);
      this.unresolved.delete(tag);
    }
  }

  /** Whether the event is beyond the position, which it moves; a gateway may replay more than was asked for. */
  isNew(event: MxEvent): boolean {
    if (event.workerSequence === 0n) return true;
    if (event.workerSequence <= this.position) return false;
    this.position = event.workerSequence;
    return true;
  }

  /** The change of an OnDataChange or of a recovered value; undefined when it belongs to no wanted tag, as far as is known now. */
  change(event: MxEvent, isReplayed: boolean): DataChange | undefined {
    const tag = this.#tags.tagOf(event);
    if (tag !== undefined)
      return event.origin === MxEventOrigin.RECOVERED
        ? this.readAgain(tag, event)
        : this.#marked(tag, event, isReplayed);
    if (this.#tags.mayComeToKnow(event)) this.#early.push([event, isReplayed, this.#takeLost()]);
    return undefined;
  }

  /** What overtook its reply, once that is there: how many were lost before an event, and its change if any. */
  earlyChanges(): [number, DataChange | undefined][] {
    const early = this.#early;
    this.#early = [];
    return early.map(([event, isReplayed, lost]) => [lost, this.change(event, isReplayed)]);
  }

  /**
   * Whether current values may be newer than what comes after a gap.
   *
   * Under conflate what was dropped was replaced by a younger value of its item, which is in the stream; the first gap
   * of a stream is another matter.
   */
  hasToRead(gap: ReplayGap, isFirst: boolean, isConflated: boolean): boolean {
    return isFirst || !(isConflated && gap.droppedEvents > 0n);
  }

  /** Counts a gap; how many events are known to be lost in it. */
  lose(gap: ReplayGap): number {
    this.gaps += 1;
    const between = gap.oldestAvailableSequence - gap.requestedAfterSequence - 1n;
    const lost = Number(gap.droppedEvents > 0n ? gap.droppedEvents : between > 0n ? between : 0n);
    this.lost += lost;
    return lost;
  }

  /** The change that stands for what was lost: the value as it is now, read or sent once more. */
  readAgain(tag: string, raw: BulkReadResult | MxEvent): DataChange {
    const at = raw.sourceTimestamp && MxTime.fromTimestamp(raw.sourceTimestamp);
    if (at !== undefined) this.#readAt.set(tag, at);
    return changeOf(tag, raw, 0n, false, true);
  }

  #marked(tag: string, event: MxEvent, isReplayed: boolean): DataChange {
    if (!this.#seen.has(tag) || this.unresolved.has(tag)) {
      this.#seen.add(tag);
      this.#judge(tag, event.statuses);
    }
    const recovered = this.#renewed.size > 0 && this.#renewed.delete(tag);
    const readAt = this.#readAt.size > 0 ? this.#readAt.get(tag) : undefined;
    let replayed = isReplayed;
    if (readAt !== undefined) {
      const at = event.sourceTimestamp && MxTime.fromTimestamp(event.sourceTimestamp);
      if (at !== undefined && isBefore(at, readAt)) replayed = true;
      else this.#readAt.delete(tag);
    }
    return changeOf(tag, event, event.workerSequence, replayed, recovered);
  }

  /** MXAccess takes any reference; whether it exists shows only by the statuses of its value. */
  #judge(tag: string, statuses: readonly MxStatusProxy[]): void {
    const failed = statuses.filter(isStatusFailure);
    if (failed.length > 0) this.unresolved.set(tag, failed.map(statusText).join(", "));
    else this.unresolved.delete(tag);
  }
}
