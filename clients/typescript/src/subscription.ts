/** Changes of some tags, over interruptions of the connection, restarts of the gateway and ends of the session. */

import { ChangeFeed, type FeedOptions } from "./changeFeed.js";
import { ChangeQueue } from "./changeQueue.js";
import type { DataChange, SubscribeOptions, SubscriptionState, SubscriptionStats } from "./dataChange.js";
import { SubscribedItems } from "./subscribedItems.js";
import { checkedTags } from "./subscriptionRules.js";

const QUEUE_SIZE = 10_000;

/**
 * Changes of tags as an async iterable; `close`, leaving the loop or `await using` ends it.
 *
 * When the stream breaks it is opened again where it ended: missed changes are replayed (`replayed`). When the gateway
 * does not have them any more, the current values come (`recovered`), and the first one's `lostBefore` tells how many
 * events of the session were lost. Nothing is ever written.
 */
export class Subscription implements AsyncIterableIterator<DataChange> {
  readonly #signal: AbortSignal | undefined;
  readonly #items: SubscribedItems;
  readonly #queue: ChangeQueue;
  readonly #feed: ChangeFeed;
  readonly #over = new AbortController();
  readonly #abandon = (): void => {
    this.#over.abort(this.#signal?.reason);
  };
  #running: Promise<void> | undefined;

  /** Made by `Session.subscribe` and `GatewayClient.subscribe`. */
  constructor(
    tags: Iterable<string>,
    options: SubscribeOptions,
    feed: Pick<FeedOptions, "openSession" | "ownsSessions"> & Partial<Pick<FeedOptions, "onEnded">>,
  ) {
    this.#signal = options.signal;
    this.#items = new SubscribedItems(checkedTags(tags), options.supervisory ?? false);
    this.#queue = new ChangeQueue(
      options.queueSize ?? QUEUE_SIZE,
      options.overflow ?? "drop_oldest",
      options.onWarning ?? (() => undefined),
    );
    this.#queue.makeRoom(this.#items.tags.length);
    this.#queue.isFilling = true;
    this.#feed = new ChangeFeed(this.#items, this.#queue, {
      onEnded: () => undefined,
      ...feed,
      reconnects: options.reconnect ?? true,
      firstDelayMs: options.firstDelayMs,
    });
  }

  /** Where the subscription stands now. */
  get state(): SubscriptionState {
    return this.#feed.state;
  }

  /** The state now and after each change, until the subscription is closed. */
  async *states(): AsyncGenerator<SubscriptionState, void, undefined> {
    let told: SubscriptionState | undefined;
    while (told !== "closed") {
      await this.#feed.waitUntil(() => this.state !== told);
      told = this.state;
      yield told;
    }
  }

  /** The references, each once; those that were refused are among them. */
  get tags(): readonly string[] {
    return this.#items.tags;
  }

  /** Tags that could not be subscribed, with the reason; one that does not exist stands here from its first value on. */
  get failures(): ReadonlyMap<string, string> {
    return new Map([...this.#feed.reader.unresolved, ...this.#items.refusals]);
  }

  /** Figures of its life so far. */
  get stats(): SubscriptionStats {
    const { reader, interruptions, newSessions, lastInterruption } = this.#feed;
    const { dropped, size: waiting } = this.#queue;
    return { gaps: reader.gaps, lost: reader.lost, dropped, interruptions, newSessions, waiting, lastInterruption };
  }

  /**
   * Begins; iterating does it, too. Resolves once the tags are subscribed for the first time.
   *
   * @throws {MxGatewayError} they cannot be subscribed at all. A single tag that is refused stands in `failures`.
   */
  async start(): Promise<void> {
    this.#begin();
    await this.#feed.waitUntil(() => this.state !== "starting");
    if (this.#feed.error !== undefined && this.#queue.size === 0) throw this.#feed.error;
  }

  #begin(): void {
    if (this.#running !== undefined) return;
    this.#signal?.addEventListener("abort", this.#abandon, { once: true });
    if (this.#signal?.aborted) this.#abandon();
    this.#running = this.#feed.run(this.#over.signal).finally(() => {
      this.#signal?.removeEventListener("abort", this.#abandon);
    });
    // Whoever closes it is told; nobody may.
    this.#running.catch(() => undefined);
  }

  /** Itself: it is iterated once. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /**
   * The next change; done once the subscription is closed and what waited is taken.
   *
   * @throws {MxGatewayError} the subscription has failed for good; changes that were queued come first.
   */
  async next(): Promise<IteratorResult<DataChange, undefined>> {
    this.#begin();
    this.#signal?.throwIfAborted();
    // What waits is there without another turn of the event loop's queue.
    const change = this.#queue.takeNow() ?? (await this.#queue.take(this.#signal));
    return change === undefined ? { done: true, value: undefined } : { done: false, value: change };
  }

  /** Closes it: leaving a `for await` loop calls this. */
  async return(): Promise<IteratorResult<DataChange, undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  /**
   * Subscribes further tags; one that is there stays as it is, one that was refused is tried again. While the stream is
   * interrupted this resolves at once, and the tags are subscribed when it is there again.
   *
   * @throws {MxGatewayError} the subscription has ended.
   */
  async add(tags: Iterable<string>): Promise<void> {
    const wanted = checkedTags(tags);
    this.#feed.checkOpen();
    const asked = this.#items.want(wanted);
    this.#queue.makeRoom(this.#items.tags.length);
    await this.#carriedOut(asked);
  }

  /**
   * Ends the subscription of some tags. No change of theirs is delivered from the call on, also none that waits; a
   * `lostBefore` of theirs passes to the next change.
   *
   * @throws {MxGatewayError} the subscription has ended.
   */
  async remove(tags: Iterable<string>): Promise<void> {
    const gone = checkedTags(tags);
    this.#feed.checkOpen();
    const asked = this.#items.unwant(gone);
    this.#queue.discard(gone);
    this.#feed.reader.forget(gone);
    await this.#carriedOut(asked);
  }

  /** Waits until the session has what was asked for, or is interrupted: then the reconnect does it. */
  async #carriedOut(asked: number): Promise<void> {
    await this.#feed.waitUntil(() => !this.#feed.isServing || this.#items.isDone(asked));
    if (!this.#items.isDone(asked)) this.#feed.checkOpen();
  }

  /** Ends it, and the session where it is its own. Idempotent. */
  async close(): Promise<void> {
    this.#queue.end();
    this.#over.abort(new Error("the subscription was closed"));
    this.#begin();
    await this.#running;
  }

  /** `close`, at the end of an `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
