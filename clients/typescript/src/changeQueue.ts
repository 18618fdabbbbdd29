/** What waits between a subscription and its consumer, within bounds. */

import { MxGatewayOverflowError } from "./errors.js";
import type { DataChange } from "./dataChange.js";

/**
 * What happens when more changes wait than the queue holds: `drop_oldest` (default) and `drop_newest` lose some and say
 * so in `lostBefore`, `warn` keeps all and calls `onWarning`, `disconnect` ends the subscription.
 */
export type OverflowPolicy = "drop_oldest" | "drop_newest" | "warn" | "disconnect";

/** Changes in order. One consumer takes them. */
export class ChangeQueue {
  readonly #policy: OverflowPolicy;
  readonly #onWarning: (text: string) => void;
  #waiting: DataChange[] = [];
  #head = 0;
  #lostAtHead = 0;
  #lostAtEnd = 0;
  #isEnded = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;
  #hasWarned = false;
  capacity: number;
  /** Changes that this queue has dropped. */
  dropped = 0;

  constructor(capacity: number, policy: OverflowPolicy, onWarning: (text: string) => void) {
    if (!Number.isInteger(capacity) || capacity < 1)
      throw new RangeError(`queueSize is ${capacity}; at least 1 is needed`);
    this.capacity = capacity;
    this.#policy = policy;
    this.#onWarning = onWarning;
  }

  get size(): number {
    return this.#waiting.length - this.#head;
  }

  put(change: DataChange): void {
    if (this.#isEnded) return;
    if (this.size >= this.capacity && !this.#makesRoom()) return;
    const lost = this.#lostAtEnd;
    this.#lostAtEnd = 0;
    this.#waiting.push(lost > 0 ? { ...change, lostBefore: change.lostBefore + lost } : change);
    this.#rouse();
  }

  #makesRoom(): boolean {
    switch (this.#policy) {
      case "drop_oldest": {
        const oldest = this.#waiting[this.#head];
        this.#head += 1;
        this.dropped += 1;
        this.#lostAtHead += 1 + (oldest?.lostBefore ?? 0);
        this.#compact();
        return true;
      }
      case "drop_newest":
        this.dropped += 1;
        this.#lostAtEnd += 1;
        return false;
      case "warn":
        if (!this.#hasWarned) this.#onWarning(`${this.size} changes wait for the consumer of a subscription`);
        this.#hasWarned = true;
        return true;
      case "disconnect":
        this.end(
          new MxGatewayOverflowError(
            `${this.size} changes wait and the queue holds ${this.capacity}; take them faster`,
          ),
        );
        return false;
    }
  }

  /** No change comes any more; what waits is still taken. The first end counts. */
  end(error?: Error): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    this.#rouse();
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** The next change; undefined when the queue has ended well. Throws what it has ended with. */
  async take(signal?: AbortSignal): Promise<DataChange | undefined> {
    for (;;) {
      signal?.throwIfAborted();
      const change = this.#waiting[this.#head];
      if (change !== undefined) {
        this.#head += 1;
        this.#compact();
        const lost = this.#lostAtHead;
        this.#lostAtHead = 0;
        return lost > 0 ? { ...change, lostBefore: change.lostBefore + lost } : change;
      }
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

  #rouse(): void {
    this.#wake?.();
  }

  #compact(): void {
    // Once in a while: shifting for each change would cost the length of the queue.
    if (this.#head > 1024 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }
}
