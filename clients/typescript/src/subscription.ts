/** Changes of some tags, over interruptions of the connection, restarts of the gateway and ends of the session. */

import { ChangeQueue } from "./changeQueue.js";
import type { DataChange, SubscribeOptions, SubscriptionState } from "./dataChange.js";
import { MxGatewayConnectionError, MxGatewayError, MxGatewaySessionError, MxGatewayWorkerError } from "./errors.js";
import type { EventStream } from "./events.js";
import {
  BackpressurePolicy,
  type BulkReadResult,
  type MxEvent,
  MxEventFamily,
  type MxStatusProxy,
} from "./gen/mxaccess_gateway_pb.js";
import { isGood, isStatusFailure, statusText } from "./quality.js";
import type { Session } from "./session.js";
import { checkedSize, checkedTags, chunks, isBefore, isTransient } from "./subscriptionRules.js";
import { MxTime } from "./time.js";
import { sleep } from "./transport.js";
import { type MxOutput, fromMxValue } from "./values.js";

const FIRST_DELAY_MS = 200;
const MAX_DELAY_MS = 5000;
/** Milliseconds after which a connection counts as one that holds. */
const SETTLED_MS = 5000;
/** Changes of an item that are held until its handle is known; of more the latest. */
const MOST_EARLY = 16;
const CLIENT_NAME = "subscription";

/** Changes of tags as an async iterable; `close`, leaving the loop or `await using` ends it. */
export class Subscription implements AsyncIterableIterator<DataChange> {
  readonly #openSession: (signal: AbortSignal) => Promise<Session>;
  readonly #ownsSessions: boolean;
  readonly #options: SubscribeOptions;
  readonly #onClosed: () => void;
  readonly #queue: ChangeQueue;
  readonly #over = new AbortController();
  readonly #tags: Set<string>;
  readonly #failures = new Map<string, string>();
  #running: Promise<void> | undefined;
  #session: Session | undefined;
  #serverHandle: number | undefined;
  #handleOf = new Map<string, number>();
  #tagOf = new Map<number, string>();
  #early = new Map<number, MxEvent[]>();
  #lastSequence = 0n;
  #failure: Error | undefined;
  // Tags of a new session whose first value is still to come.
  readonly #expected = new Set<string>();
  // The source time of values that were read after a gap: what is older was known by then.
  readonly #readAt = new Map<string, MxTime>();
  #isNewSession = true;
  #state: SubscriptionState = "starting";
  #stateWaiters = new Set<() => void>();
  #lostBefore = 0;
  #gaps = 0;
  #lost = 0;
  #interruptions = 0;
  #newSessions = 0;
  #lastInterruption: Error | undefined;
  #isAdding = false;

  /** Made by `Session.subscribe` and `GatewayClient.subscribe`. */
  constructor(
    openSession: (signal: AbortSignal) => Promise<Session>,
    ownsSessions: boolean,
    tags: Iterable<string>,
    options: SubscribeOptions,
    onClosed: () => void = () => undefined,
  ) {
    this.#openSession = openSession;
    this.#ownsSessions = ownsSessions;
    this.#options = options;
    this.#onClosed = onClosed;
    this.#tags = new Set(checkedTags(tags));
    const size = Math.max(options.queueSize ?? 10_000, 2 * this.#tags.size);
    this.#queue = new ChangeQueue(
      options.queueSize === undefined ? size : checkedSize(options.queueSize, size),
      options.overflow ?? "drop_oldest",
      options.onWarning ?? (() => undefined),
    );
  }

  get state(): SubscriptionState {
    return this.#state;
  }

  /** The state now and after each change, until the subscription is closed. */
  async *states(): AsyncGenerator<SubscriptionState, void, undefined> {
    let told: SubscriptionState | undefined;
    for (;;) {
      const now = this.#state;
      if (now !== told) {
        told = now;
        yield now;
        continue;
      }
      if (now === "closed") return;
      await new Promise<void>((resolve) => {
        this.#stateWaiters.add(resolve);
      });
    }
  }

  /** The references, as given. */
  get tags(): readonly string[] {
    return [...this.#tags];
  }

  /** Tags that could not be subscribed, with the reason. */
  get failures(): ReadonlyMap<string, string> {
    return this.#failures;
  }

  /** Figures of its life so far. */
  get stats(): {
    readonly gaps: number;
    readonly lost: number;
    readonly dropped: number;
    readonly interruptions: number;
    readonly newSessions: number;
    readonly waiting: number;
    readonly lastInterruption: Error | undefined;
  } {
    return {
      gaps: this.#gaps,
      lost: this.#lost,
      dropped: this.#queue.dropped,
      interruptions: this.#interruptions,
      newSessions: this.#newSessions,
      waiting: this.#queue.size,
      lastInterruption: this.#lastInterruption,
    };
  }

  /** Begins; iterating does it, too. Resolves once the tags are subscribed for the first time, or it has ended. */
  async start(): Promise<void> {
    this.#begin();
    for await (const state of this.states()) {
      if (state === "closed" && this.#failure !== undefined) throw this.#failure;
      if (state !== "starting") return;
    }
  }

  #begin(): void {
    this.#running ??= this.#run();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<DataChange, undefined>> {
    this.#begin();
    const change = await this.#queue.take(this.#options.signal);
    return change === undefined ? { done: true, value: undefined } : { done: false, value: change };
  }

  async return(): Promise<IteratorResult<DataChange, undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  /** Adds tags at run time; those that are there already are passed over. */
  async add(tags: Iterable<string>): Promise<void> {
    const fresh = checkedTags(tags).filter((tag) => !this.#tags.has(tag));
    for (const tag of fresh) this.#tags.add(tag);
    this.#queue.capacity = Math.max(this.#queue.capacity, 2 * this.#tags.size);
    if (this.#session !== undefined && this.#serverHandle !== undefined)
      await this.#subscribe(this.#session, this.#serverHandle, fresh, true);
  }

  /** Removes tags at run time. */
  async remove(tags: Iterable<string>): Promise<void> {
    const handles: number[] = [];
    for (const tag of checkedTags(tags)) {
      this.#tags.delete(tag);
      this.#failures.delete(tag);
      const handle = this.#handleOf.get(tag);
      this.#handleOf.delete(tag);
      if (handle === undefined) continue;
      this.#tagOf.delete(handle);
      handles.push(handle);
    }
    const [session, server] = [this.#session, this.#serverHandle];
    if (session === undefined || server === undefined) return;
    for (const part of chunks(handles)) await session.unsubscribeBulk(server, part);
  }

  /** Ends it, and the session where it is its own. Idempotent. */
  async close(): Promise<void> {
    this.#queue.end();
    this.#over.abort(new Error("the subscription was closed"));
    this.#begin();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #become(state: SubscriptionState): void {
    if (this.#state === state) return;
    this.#state = state;
    const waiters = [...this.#stateWaiters];
    this.#stateWaiters.clear();
    for (const wake of waiters) wake();
  }

  // ------------------------------------------------------------------------------------------------ the task

  async #run(): Promise<void> {
    const { signal } = this.#over;
    // Someone may wait for changes of a process that has nothing else to do.
    const alive = setInterval(() => undefined, 60_000);
    let attempt = 0;
    try {
      while (!signal.aborted && !this.#queue.isEnded) {
        const begun = Date.now();
        const before = this.#lastSequence;
        try {
          await this.#connected(signal);
          throw new MxGatewayConnectionError("the gateway ended the event stream");
        } catch (error) {
          if (signal.aborted || this.#queue.isEnded) break;
          // Whoever begins wants to know that nothing opens.
          if (this.#session === undefined && this.#state === "starting") throw error;
          this.#judge(error);
          this.#interruptions += 1;
          this.#lastInterruption = error as Error;
          this.#become("reconnecting");
          attempt = Date.now() - begun > SETTLED_MS || this.#lastSequence !== before ? 0 : attempt + 1;
          // The first attempt is at once.
          const grown =
            attempt === 0
              ? 0
              : Math.min(MAX_DELAY_MS, (this.#options.firstDelayMs ?? FIRST_DELAY_MS) * 2 ** (attempt - 1));
          const asked = error instanceof MxGatewayError ? (error.retryAfterMs ?? 0) : 0;
          await sleep(Math.max(grown * (0.5 + Math.random() / 2), asked), signal);
        }
      }
      this.#become("closed");
      this.#queue.end();
    } catch (error) {
      if (!signal.aborted) this.#failure = error as Error;
      this.#become("closed");
      this.#queue.end(signal.aborted ? undefined : (error as Error));
    } finally {
      clearInterval(alive);
      const session = this.#session;
      this.#session = undefined;
      if (session !== undefined && this.#ownsSessions) await session.close().catch(() => undefined);
      else if (session !== undefined) await this.#takeBack(session).catch(() => undefined);
      this.#onClosed();
    }
  }

  /** Throws an error that ends the subscription; forgets the session when that is what is lost. */
  #judge(error: unknown): void {
    const isSessionLost = error instanceof MxGatewaySessionError || error instanceof MxGatewayWorkerError;
    const reconnects = this.#options.reconnect ?? true;
    if (!reconnects || !(isSessionLost ? this.#ownsSessions : isTransient(error))) throw error;
    if (!isSessionLost) return;
    const lost = this.#session;
    this.#session = undefined;
    this.#serverHandle = undefined;
    this.#handleOf.clear();
    this.#tagOf.clear();
    this.#early.clear();
    this.#lastSequence = 0n;
    this.#isNewSession = true;
    lost?.close().catch(() => undefined);
  }

  async #connected(signal: AbortSignal): Promise<void> {
    let session = this.#session;
    if (session === undefined) {
      session = await this.#openSession(signal);
      this.#session = session;
      if (this.#state !== "starting") {
        this.#newSessions += 1;
        this.#gaps += 1;
        for (const tag of this.#tags) this.#expected.add(tag);
      }
    } else if (this.#state === "reconnecting") {
      // Asks first: after a restart of the gateway the session is gone, and says so here.
      await session.state({ signal });
    }
    const resumes = !this.#isNewSession;
    const position = this.#lastSequence > 0n ? { afterWorkerSequence: this.#lastSequence } : { fromBeginning: resumes };
    const events = session.events({ ...position, signal });
    const reading = this.#read(events, session);
    reading.catch(() => undefined);
    try {
      if (this.#isNewSession || this.#serverHandle === undefined) {
        if (!(await Promise.race([events.opened, reading.then(() => true)]))) await reading;
        const server = await session.register(CLIENT_NAME, { signal });
        this.#serverHandle = server;
        this.#isNewSession = false;
        await this.#subscribe(
          session,
          server,
          [...this.#tags].filter((tag) => !this.#handleOf.has(tag)),
        );
      } else {
        if (!(await events.opened)) await reading;
        const missing = [...this.#tags].filter((tag) => !this.#handleOf.has(tag) && !this.#failures.has(tag));
        if (missing.length > 0) await this.#subscribe(session, this.#serverHandle, missing);
      }
      this.#become(this.#interruptions > 0 ? "recovered" : "connected");
      await reading;
    } finally {
      events.close();
    }
  }

  async #subscribe(session: Session, server: number, tags: readonly string[], isLive = false): Promise<void> {
    // Beside a running stream handles are known before their values come.
    const addsFirst = isLive || (this.#options.supervisory ?? false);
    this.#isAdding = true;
    try {
      for (const part of chunks(tags)) {
        const results = addsFirst ? await session.addItemBulk(server, part) : await session.subscribeBulk(server, part);
        const handles: number[] = [];
        for (const [index, result] of results.entries()) {
          const tag = part[index];
          if (tag === undefined) continue;
          if (!result.wasSuccessful) {
            this.#failures.set(tag, result.errorMessage);
            continue;
          }
          this.#failures.delete(tag);
          this.#handleOf.set(tag, result.itemHandle);
          this.#tagOf.set(result.itemHandle, tag);
          handles.push(result.itemHandle);
        }
        if (this.#options.supervisory)
          await Promise.all(handles.map((handle) => session.adviseSupervisory(server, handle)));
        else if (addsFirst && handles.length > 0) await session.adviseItemBulk(server, handles);
        for (const handle of handles) {
          for (const event of this.#early.get(handle) ?? []) this.#pass(event, false);
          this.#early.delete(handle);
        }
      }
    } finally {
      this.#isAdding = false;
      this.#early.clear();
    }
  }

  async #takeBack(session: Session): Promise<void> {
    const server = this.#serverHandle;
    if (server === undefined || session.closed) return;
    for (const part of chunks([...this.#tagOf.keys()])) await session.unsubscribeBulk(server, part);
    await session.unregister(server);
  }

  async #read(events: EventStream, session: Session): Promise<void> {
    for await (const batch of events.batches()) {
      const replayed = events.replayedEvents;
      for (const [index, event] of batch.entries()) {
        if (event.replayGap !== undefined) await this.#recover(event, session);
        else this.#pass(event, index < replayed);
      }
      if (this.#queue.isEnded) return;
    }
  }

  #pass(event: MxEvent, replayed: boolean): void {
    if (event.workerSequence > this.#lastSequence) this.#lastSequence = event.workerSequence;
    else if (event.workerSequence > 0n && !this.#isEarly(event)) return;
    if (
      event.family !== MxEventFamily.ON_DATA_CHANGE ||
      event.serverHandle !== (this.#serverHandle ?? event.serverHandle)
    )
      return;
    const tag = this.#tagOf.get(event.itemHandle);
    if (tag === undefined) {
      if (this.#isAdding || this.#serverHandle === undefined) this.#keepEarly(event);
      return;
    }
    const recovered = this.#expected.delete(tag);
    const read = this.#readAt.get(tag);
    const at = event.sourceTimestamp && MxTime.fromTimestamp(event.sourceTimestamp);
    const isOlder = read !== undefined && at !== undefined && isBefore(at, read);
    if (!isOlder) this.#readAt.delete(tag);
    this.#judgeTag(tag, event.statuses);
    this.#put(
      tag,
      event,
      event.value === undefined ? null : fromMxValue(event.value),
      event.workerSequence,
      replayed || isOlder,
      recovered,
    );
  }

  /** A reference that leads nowhere is told by the status of its value. */
  #judgeTag(tag: string, statuses: readonly MxStatusProxy[]): void {
    const failed = statuses.filter(isStatusFailure);
    if (failed.length > 0) this.#failures.set(tag, failed.map(statusText).join(", "));
    else this.#failures.delete(tag);
  }

  /** An item's values may come before the reply that tells its handle. */
  #keepEarly(event: MxEvent): void {
    const early = this.#early.get(event.itemHandle);
    if (early === undefined) this.#early.set(event.itemHandle, [event]);
    else if (early.push(event) > MOST_EARLY) {
      early.shift();
      this.#lost += 1;
      this.#lostBefore += 1;
    }
  }

  #isEarly(event: MxEvent): boolean {
    return this.#early.get(event.itemHandle)?.includes(event) ?? false;
  }

  #put(
    tag: string,
    raw: MxEvent | BulkReadResult,
    value: MxOutput,
    workerSequence: bigint,
    replayed: boolean,
    recovered: boolean,
  ): void {
    const lostBefore = this.#lostBefore;
    this.#lostBefore = 0;
    this.#queue.put({
      tag,
      value,
      quality: raw.quality,
      sourceTimestamp: raw.sourceTimestamp && MxTime.fromTimestamp(raw.sourceTimestamp),
      statuses: raw.statuses,
      workerSequence,
      replayed,
      recovered,
      lostBefore,
      isGood: isGood(raw.quality) && !raw.statuses.some(isStatusFailure),
      raw,
    });
  }

  /** After a gap nobody knows what the tags have become: their current values are read. */
  async #recover(event: MxEvent, session: Session): Promise<void> {
    const gap = event.replayGap;
    const server = this.#serverHandle;
    if (gap === undefined || server === undefined) return;
    // Under conflate nothing is lost: the latest value of each tag has come.
    if (session.backpressurePolicy === BackpressurePolicy.CONFLATE) return;
    const read: [string, BulkReadResult][] = [];
    for (const part of chunks([...this.#handleOf.keys()])) {
      for (const [index, result] of (await session.readBulk(server, part)).entries()) {
        const tag = part[index];
        if (tag !== undefined && result.wasSuccessful) read.push([tag, result]);
      }
    }
    // Counted once it is read: a reading that breaks off meets the same gap again.
    this.#gaps += 1;
    const between = gap.oldestAvailableSequence - gap.requestedAfterSequence - 1n;
    const lost = Number(gap.droppedEvents > 0n ? gap.droppedEvents : between > 0n ? between : 0n);
    this.#lost += lost;
    this.#lostBefore += lost;
    for (const [tag, result] of read) {
      const at = result.sourceTimestamp && MxTime.fromTimestamp(result.sourceTimestamp);
      if (at !== undefined) this.#readAt.set(tag, at);
      this.#put(tag, result, result.value === undefined ? null : fromMxValue(result.value), 0n, false, true);
    }
  }
}
