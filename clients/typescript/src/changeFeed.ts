/** Keeps the queue of a subscription filled, over interruptions, lost sessions and gaps. */

import type { ChangeQueue } from "./changeQueue.js";
import { ChangeReader } from "./changeReader.js";
import type { DataChange, SubscriptionState } from "./dataChange.js";
import { MxGatewayConnectionError, MxGatewayError, MxGatewayOverflowError, MxGatewaySessionError } from "./errors.js";
import type { EventStream } from "./events.js";
import {
  BackpressurePolicy,
  type MxEvent,
  MxEventFamily,
  MxEventOrigin,
  type ReplayGap,
} from "./gen/mxaccess_gateway_pb.js";
import type { Session } from "./session.js";
import type { SubscribedItems } from "./subscribedItems.js";
import { MAX_DELAY_MS, delayMs, isTransient, saysSessionLost } from "./subscriptionRules.js";
import { sleep } from "./transport.js";
import { CAPABILITY_RECOVERED_VALUES } from "./version.js";

/** Sessions that may end one after the other before they have all tags; more is no accident. */
const MOST_LOST = 5;

/** What a feed needs to know of its subscription. */
export interface FeedOptions {
  readonly openSession: (signal: AbortSignal) => Promise<Session>;
  readonly ownsSessions: boolean;
  readonly reconnects: boolean;
  /** Milliseconds of the second wait between attempts; the first attempt is made at once. */
  readonly firstDelayMs: number | undefined;
  readonly onEnded: () => void;
}

/** One subscription's state, and the work on it: `run`. */
export class ChangeFeed {
  readonly items: SubscribedItems;
  readonly queue: ChangeQueue;
  readonly reader: ChangeReader;
  readonly #options: FeedOptions;
  state: SubscriptionState = "starting";
  /** What ended the subscription; undefined while it runs and after an ordinary end. */
  error: Error | undefined;
  session: Session | undefined;
  interruptions = 0;
  newSessions = 0;
  lastInterruption: Error | undefined;
  /** Whether somebody carries out what is wanted of the items. */
  isServing = false;
  #stands = false;
  /** Whether the session has tags of ours; else there is nothing in it to go on with. */
  #isSetUp = false;
  #isStreamOpen = false;
  #attempts = 0;
  readonly #waiters = new Set<() => void>();

  constructor(items: SubscribedItems, queue: ChangeQueue, options: FeedOptions) {
    this.items = items;
    this.queue = queue;
    this.reader = new ChangeReader(items, () => queue.takeLost());
    this.#options = options;
  }

  // ----------------------------------------------------------------------------------------------------- observing

  /** Waits for a condition of state or items. */
  async waitUntil(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>((resolve) => {
        this.#waiters.add(resolve);
      });
    }
  }

  /** Throws the error that ended the subscription, or MxGatewaySessionError when it was closed. */
  checkOpen(): void {
    if (this.state === "closed") throw this.error ?? new MxGatewaySessionError("the subscription is closed");
  }

  #notify(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const wake of waiters) wake();
  }

  #become(state: SubscriptionState): void {
    this.state = state;
    this.#notify();
  }

  // ------------------------------------------------------------------------------------------------------- the work

  /** Serves one stream after the other until the subscription ends; whatever fails becomes its error. */
  async run(signal: AbortSignal): Promise<void> {
    // Someone may wait for changes of a process that has nothing else to do.
    const alive = setInterval(() => undefined, 60_000);
    let failure: Error | undefined;
    try {
      await this.#serveAll(signal);
    } catch (error) {
      failure = error as Error;
    } finally {
      clearInterval(alive);
    }
    await this.#end(signal.aborted ? undefined : failure);
  }

  async #serveAll(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    let lost = 0;
    let stream = await this.#connect(signal);
    for (;;) {
      const failure = await this.#serve(stream, signal);
      signal.throwIfAborted();
      if (failure instanceof MxGatewayOverflowError || !(this.#stands || this.#mayBeginLate(failure))) throw failure;
      if (this.#isSetUp) this.interruptions += 1;
      if (!this.#stands && saysSessionLost(failure)) {
        lost += 1;
        if (lost === MOST_LOST) throw failure;
      }
      stream = await this.#reconnect(failure, signal);
    }
  }

  /** Whether a failure before all tags were subscribed for the first time is waited out. */
  #mayBeginLate(failure: unknown): boolean {
    const isLost = this.#options.ownsSessions && saysSessionLost(failure);
    return this.#isSetUp && (isLost || isTransient(failure));
  }

  /** Opens a stream in a session that has nothing of the subscription yet; serving it adds the tags. */
  async #connect(signal: AbortSignal): Promise<EventStream> {
    this.#isSetUp = false;
    const session = await this.#options.openSession(signal);
    this.session = session;
    // The stream comes first, so that no first value is missed.
    const stream = session.events({ recoverGaps: recoversGaps(session), signal });
    try {
      await this.items.begin(session, signal);
    } catch (error) {
      stream.close();
      throw error;
    }
    // The first value of each tag replaces what was missed while there was no session.
    this.queue.lose(this.reader.beginSession(this.#stands ? this.items.tags : []));
    return stream;
  }

  /** Feeds the queue and keeps the items as they are wanted; what ended it. */
  async #serve(stream: EventStream, signal: AbortSignal): Promise<unknown> {
    const { session } = this;
    if (session === undefined) throw new TypeError("there is no session to serve");
    const over = new AbortController();
    const stop = (): void => {
      over.abort(signal.reason);
    };
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    const began = performance.now();
    let failure: unknown;
    this.isServing = true;
    this.#isStreamOpen = false;
    const keeping = this.items
      .keep(session, over.signal, () => {
        this.#itemsAdded();
      })
      .catch((error: unknown) => {
        if (!over.signal.aborted) failure ??= error;
        stream.close();
      });
    if (this.state !== "starting") void this.#waitForOpening(stream, over.signal);
    try {
      await this.#read(stream, session, over.signal);
      failure ??= new MxGatewayConnectionError("the gateway ended the event stream");
    } catch (error) {
      failure ??= error;
    }
    // With the tags in the session what has come counts, and the stream can be resumed.
    if (!(failure instanceof MxGatewayOverflowError)) await this.items.allKnown();
    over.abort(new Error("the stream is over"));
    signal.removeEventListener("abort", stop);
    stream.close();
    await keeping;
    this.isServing = false;
    this.#notify();
    if (performance.now() - began > MAX_DELAY_MS) this.#attempts = 0;
    return failure;
  }

  // --------------------------------------------------------------------------------------------------------- states

  async #waitForOpening(stream: EventStream, signal: AbortSignal): Promise<void> {
    // Quiet tags may send nothing for hours; the stream stands all the same.
    if ((await stream.opened) && !signal.aborted) this.#streamStands();
  }

  #streamStands(): void {
    this.#isStreamOpen = true;
    this.#takeTurn();
  }

  /** The state that follows from stream and items. */
  #takeTurn(): void {
    if (!this.items.isComplete) return;
    if (!this.#stands) {
      this.#stands = true;
      this.queue.isFilling = false;
      this.#become("connected");
    } else if (this.#isStreamOpen && this.state === "reconnecting") this.#become("recovered");
  }

  /** Further tags are in the session; what came of them before that was known becomes changes. */
  #itemsAdded(): void {
    if (!this.#isSetUp) {
      this.#isSetUp = true;
      if (this.#stands) {
        this.newSessions += 1;
        this.reader.gaps += 1;
      }
    }
    this.#takeTurn();
    // They are older than a gap that was met meanwhile.
    const lostLater = this.queue.takeLost();
    for (const [lost, change] of this.reader.earlyChanges()) {
      this.queue.lose(lost);
      if (change !== undefined) this.#put(change);
    }
    this.queue.lose(lostLater);
    this.#notify();
  }

  /** Ends the subscription, by an error or because it is closed, and leaves the session as it was. */
  async #end(error: Error | undefined): Promise<void> {
    const { session } = this;
    this.session = undefined;
    this.error = error;
    this.#options.onEnded();
    this.queue.end(error);
    this.#become("closed");
    if (session === undefined) return;
    try {
      if (this.#options.ownsSessions) await session.close();
      else if (!session.closed) await this.items.removeAll(session);
    } catch (failure) {
      // The session ends with its lease; the subscription is over in any case, and why is known.
      if (error === undefined && !(failure instanceof MxGatewayError)) throw failure;
    }
  }

  // --------------------------------------------------------------------------------------------------- reconnecting

  async #reconnect(first: unknown, signal: AbortSignal): Promise<EventStream> {
    let failure = first;
    this.lastInterruption = failure as Error;
    if (!this.#options.reconnects) throw failure;
    if (this.#stands) this.#become("reconnecting");
    for (;;) {
      const isLost = saysSessionLost(failure);
      if (!(isLost ? this.#options.ownsSessions : isTransient(failure))) throw failure;
      await sleep(delayMs(this.#attempts, failure, this.#options.firstDelayMs), signal);
      this.#attempts += 1;
      try {
        // A session that was lost before its tags were in it has nothing to resume.
        return await (isLost || !this.#isSetUp ? this.#replaceSession(signal) : this.#resume(signal));
      } catch (error) {
        signal.throwIfAborted();
        // The gateway is there again and has answered: the new session need not wait.
        if (saysSessionLost(error) && !isLost) this.#attempts = 0;
        failure = error;
        this.lastInterruption = error as Error;
      }
    }
  }

  async #resume(signal: AbortSignal): Promise<EventStream> {
    const { session } = this;
    if (session === undefined) throw new TypeError("there is no session to resume");
    // Asks first: a stream alone would only fail with its first event.
    await session.state({ signal });
    const { position } = this.reader;
    const recoverGaps = recoversGaps(session);
    // Before its first event there is no position to go on from, only the beginning.
    return session.events({ afterWorkerSequence: position, fromBeginning: position === 0n, recoverGaps, signal });
  }

  async #replaceSession(signal: AbortSignal): Promise<EventStream> {
    // No way back from here: the next attempt is a new session, too.
    this.#isSetUp = false;
    try {
      await this.session?.close({ signal });
      this.session = undefined;
    } catch (error) {
      // It is lost; the gateway frees it by itself.
      if (!(error instanceof MxGatewayError)) throw error;
    }
    return await this.#connect(signal);
  }

  // -------------------------------------------------------------------------------------------------------- reading

  async #read(stream: EventStream, session: Session, signal: AbortSignal): Promise<void> {
    // Before its first event a new stream may lack what no stream had.
    let isFirst = this.reader.position === 0n;
    for await (const batch of stream.batches()) {
      // A session that ends before it has all tags may do so again.
      if (this.items.isComplete) this.#attempts = 0;
      this.#streamStands();
      const { replayedEvents } = stream;
      let index = 0;
      for (const event of batch) {
        if (event.replayGap !== undefined) await this.#gap(event.replayGap, session, isFirst, signal);
        else this.#take(event, index < replayedEvents);
        index += 1;
      }
      isFirst = false;
      this.#notify();
    }
  }

  #take(event: MxEvent, isOfTheRing: boolean): void {
    // What the gateway sends once more moves no position.
    if (event.origin !== MxEventOrigin.RECOVERED) {
      if (!this.reader.isNew(event) || event.family !== MxEventFamily.ON_DATA_CHANGE) return;
    }
    const change = this.reader.change(event, isOfTheRing || event.origin === MxEventOrigin.REPLAYED);
    if (change !== undefined) this.#put(change);
  }

  /**
   * Counts changes that were lost, and reads the current values where they may be newer than what comes. A gateway that
   * recovers gaps sends them by itself, right behind this.
   */
  async #gap(gap: ReplayGap, session: Session, isFirst: boolean, signal: AbortSignal): Promise<void> {
    const isConflated = session.backpressurePolicy === BackpressurePolicy.CONFLATE;
    const reads = this.reader.hasToRead(gap, isFirst, isConflated) && !recoversGaps(session);
    const results = reads ? await this.items.read(session, signal) : [];
    // Only now: when the reading breaks off, the stream is resumed before the gap and tells of it again.
    this.queue.lose(this.reader.lose(gap));
    for (const [tag, result] of results)
      if (result.wasSuccessful && this.items.has(tag)) this.#put(this.reader.readAgain(tag, result));
  }

  #put(change: DataChange): void {
    this.queue.put(change);
    if (this.queue.error !== undefined) throw this.queue.error;
  }
}

/** Whether the gateway itself sends the current values after a gap. */
function recoversGaps(session: Session): boolean {
  return session.capabilities.has(CAPABILITY_RECOVERED_VALUES);
}
