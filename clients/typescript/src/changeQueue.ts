/** What waits between a subscription and its consumer, within bounds. */

import type { DataChange } from "./dataChange.js";
import { MxGatewayOverflowError } from "./errors.js";

/**
 * What happens when more changes wait than the queue holds: `drop_oldest` (default) and `drop_newest` lose some and say
 * so in `lostBefore`, `warn` keeps all and calls `onWarning` each time their number has doubled, `disconnect` ends the
 * subscription after the changes that wait.
 */
export type OverflowPolicy = "drop_oldest" | "drop_newest" | "warn" | "disconnect";

/** Changes in order. One consumer takes them. Nothing is lost without a trace. */
export class ChangeQueue {
  readonly #policy: OverflowPolicy;
  readonly #onWarning: (text: string) => void;
  readonly #asked: number;
  #capacity: number;
  #warnAt: number;
  #waiting: DataChange[] = [];
  #head = 0;
  #lostNext = 0;
  #isEnded = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;
  /** Changes that this queue has dropped. */
  dropped = 0;
  /** Whether tags are being subscribed, so that nobody can consume yet: then the latest of each tag is kept. */
  isFilling = false;

  constructor(capacity: number, policy: OverflowPolicy, onWarning: (text: string) => void) {
    if (!Number.isInteger(capacity) || capacity < 1)
      throw new RangeError(`queueSize is ${capacity}; at least 1 is needed`);
    this.#asked = capacity;
    this.#capacity = capacity;
    this.#warnAt = capacity;
    this.#policy = policy;
    this.#onWarning = onWarning;
  }

  get size(): number {
    return this.#waiting.length - this.#head;
  }

  /** What the queue has ended with; undefined before and after an ordinary end. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** Sees to it that the present value of each of so many tags fits, however little was asked for. */
  makeRoom(tags: number): void {
    // Twice, so that keeping the latest of each tag frees half of it.
    this.#capacity = Math.max(this.#asked, tags < 2 ? tags : 2 * tags);
  }

  /** Notes changes that were lost before they came here, for the next change's `lostBefore`. */
  lose(count: number): void {
    this.#lostNext += count;
  }

  /** What was noted for the next change, which from now on the caller answers for. */
  takeLost(): number {
    const lost = this.#lostNext;
    this.#lostNext = 0;
    return lost;
  }

  put(change: DataChange): void {
    if (this.#isEnded) return;
    if (this.isFilling && this.size >= this.#capacity && this.#policy !== "warn") this.#keepLatest();
    if (this.size >= this.#capacity && !this.#makesRoom()) return;
    this.#waiting.push(after(change, this.takeLost()));
    if (this.size > this.#warnAt && this.#policy === "warn") {
      this.#warnAt *= 2;
      this.#onWarning(`${this.size} changes wait; the consumer of the subscription is too slow`);
    }
    this.#wake?.();
  }

  #makesRoom(): boolean {
    switch (this.#policy) {
      case "drop_oldest": {
        const [oldest, next] = [this.#waiting[this.#head], this.#waiting[this.#head + 1]];
        const lost = 1 + (oldest?.lostBefore ?? 0);
        this.#head += 1;
        this.dropped += 1;
        // The gap is where the dropped change stood: before the one that is now the oldest.
        if (next === undefined) this.#lostNext += lost;
        else this.#waiting[this.#head] = after(next, lost);
        this.#compact();
        return true;
      }
      case "drop_newest":
        this.dropped += 1;
        this.#lostNext += 1;
        return false;
      case "warn":
        return true;
      case "disconnect":
        this.end(
          new MxGatewayOverflowError(
            `${this.size} changes wait and the overflow policy is disconnect: the consumer is too slow`,
          ),
        );
        return false;
    }
  }

  /** Drops each change that a younger one of its tag follows, which says how many were lost before it. */
  #keepLatest(): void {
    const waiting = this.#waiting.slice(this.#head);
    const last = new Map(waiting.map((change, index) => [change.tag, index]));
    const lost = new Map<string, number>();
    const kept: DataChange[] = [];
    for (const [index, change] of waiting.entries()) {
      const before = lost.get(change.tag) ?? 0;
      if (last.get(change.tag) === index) kept.push(after(change, before));
      else {
        lost.set(change.tag, before + change.lostBefore + 1);
        this.dropped += 1;
      }
    }
    this.#waiting = kept;
    this.#head = 0;
  }

  /** Removes the changes of some tags that wait. What was lost before them was so before the next change. */
  discard(tags: Iterable<string>): void {
    const gone = new Set(tags);
    let lost = 0;
    const kept: DataChange[] = [];
    for (const change of this.#waiting.slice(this.#head)) {
      if (gone.has(change.tag)) {
        lost += change.lostBefore;
        continue;
      }
      kept.push(after(change, lost));
      lost = 0;
    }
    this.#waiting = kept;
    this.#head = 0;
    this.#lostNext += lost;
  }

  /** No change comes any more; what waits is still taken. The first end counts. */
  end(error?: Error): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    this.#wake?.();
  }

  /** The next change if one waits, at once. */
  takeNow(): DataChange | undefined {
    const change = this.#waiting[this.#head];
    if (change !== undefined) {
      this.#head += 1;
      this.#compact();
    }
    return change;
  }

  /** The next change; undefined when the queue has ended well. Throws what it has ended with. */
  async take(signal?: AbortSignal): Promise<DataChange | undefined> {
    for (;;) {
      signal?.throwIfAborted();
      const change = this.takeNow();
      if (change !== undefined) return change;
      if (this.#isEnded) {
        if (this.#error !== undefined) throw this.#error;
        return undefined;
      }
      await new Promise<void>((resolve) => {
        const done = (): void => {
          signal?.removeEventListener("abort", done);
          this.#wake = undefined;
          resolve();
        };
        this.#wake = done;
        signal?.addEventListener("abort", done, { once: true });
      });
    }
  }

  #compact(): void {
    // Once in a while: shifting for each change would cost the length of the queue.
    if (this.#head > 1024 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }
}

function after(change: DataChange, lost: number): DataChange {
  return lost > 0 ? { ...change, lostBefore: change.lostBefore + lost } : change;
}
