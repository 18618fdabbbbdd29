/** The items of a subscription in its session, kept equal to the tags that are wanted. */

import { MxAccessError, MxGatewayCommandError } from "./errors.js";
import type { BulkReadResult, MxEvent, SubscribeResult } from "./gen/mxaccess_gateway_pb.js";
import type { Session } from "./session.js";
import { chunks, isTransient } from "./subscriptionRules.js";
import { CAPABILITY_CLIENT_HANDLES } from "./version.js";

const CLIENT_NAME = "subscription";
/** Calls under way at a time where there is no call for many items. */
const MAX_CALLS = 100;

type Adder = (session: Session, tags: readonly string[], signal: AbortSignal) => Promise<void>;

/**
 * What is wanted, what is there, and the commands that make one of the other.
 *
 * One piece of work at a time runs commands: whoever sets a session up, and `keep` from then on. `want` and `unwant` may
 * be called at any time.
 */
export class SubscribedItems {
  readonly #isSupervisory: boolean;
  readonly #tags = new Set<string>();
  readonly #refusals = new Map<string, string>();
  #server = 0;
  #isRegistered = false;
  /** Whether no tag was subscribed in this session yet: then one call adds and advises. */
  #isEmpty = true;
  /** A reply is under way that names new items which may already send. */
  #adding: Promise<void> | undefined;
  /** Whether such a reply was lost: its items are there, and nobody knows their handles. */
  #mayHaveOrphans = false;
  /** Known from AddItem on, because a first value may come before Advise is answered; complete from Advise on. */
  readonly #tagOf = new Map<number, string>();
  readonly #advised = new Map<string, number>();
  readonly #unwanted = new Set<number>();
  // Where the gateway echoes numbers of ours, each item that is added has one of its own, never used again: its events
  // are known before the reply is there, and those of an item that had the handle before are not its own.
  #isNumbering = false;
  #lastNumber = 0;
  readonly #tagByNumber = new Map<number, string>();
  readonly #numberOf = new Map<number, number>();
  #asked = 0;
  #done = 0;
  #hasWork = false;
  #wake: (() => void) | undefined;

  constructor(tags: readonly string[], isSupervisory: boolean) {
    this.#isSupervisory = isSupervisory;
    for (const tag of tags) this.#tags.add(tag);
  }

  /** The references that are wanted, each once. */
  get tags(): readonly string[] {
    return [...this.#tags];
  }

  /** Wanted tags that were refused, with the reason. */
  get refusals(): ReadonlyMap<string, string> {
    return this.#refusals;
  }

  /** Whether the session has all that is wanted now. */
  get isComplete(): boolean {
    return this.#done === this.#asked;
  }

  has(tag: string): boolean {
    return this.#tags.has(tag);
  }

  /** The wanted tag that an event belongs to. */
  tagOf(event: MxEvent): string | undefined {
    if (event.serverHandle !== this.#server) return undefined;
    if (event.clientHandle > 0) return this.#tagByNumber.get(event.clientHandle);
    return this.#tagOf.get(event.itemHandle);
  }

  /** Whether an item without a tag is to be named by a reply that is under way. One that nobody will name goes. */
  mayComeToKnow(event: MxEvent): boolean {
    if (event.serverHandle !== this.#server || this.#unwanted.has(event.itemHandle)) return false;
    if (this.#adding !== undefined) return true;
    if (this.#mayHaveOrphans && !this.#tagOf.has(event.itemHandle)) this.#discard(event.itemHandle);
    return false;
  }

  // ----------------------------------------------------------------------------------------------- what is wanted

  /** Wants further tags; one that was refused is tried again. The number is for `isDone`. */
  want(tags: readonly string[]): number {
    for (const tag of tags) {
      this.#refusals.delete(tag);
      this.#tags.add(tag);
    }
    return this.#ask();
  }

  /** Wants these tags no more: from now on no event belongs to them. The number is for `isDone`. */
  unwant(tags: readonly string[]): number {
    const gone = new Set(tags);
    for (const tag of gone) {
      this.#tags.delete(tag);
      this.#refusals.delete(tag);
      this.#advised.delete(tag);
    }
    for (const [handle, tag] of [...this.#tagOf]) if (gone.has(tag)) this.#discard(handle);
    for (const [number, tag] of [...this.#tagByNumber]) if (gone.has(tag)) this.#tagByNumber.delete(number);
    return this.#ask();
  }

  /** Whether the session has what was wanted by then. */
  isDone(asked: number): boolean {
    return this.#done >= asked;
  }

  #ask(): number {
    this.#asked += 1;
    this.#rouse();
    return this.#asked;
  }

  #rouse(): void {
    this.#hasWork = true;
    this.#wake?.();
  }

  // ----------------------------------------------------------------------------------------------------- commands

  /** Registers in a session that has nothing of this yet. */
  async begin(session: Session, signal: AbortSignal): Promise<void> {
    this.#isRegistered = false;
    this.#server = await session.register(CLIENT_NAME, { signal });
    this.#isRegistered = true;
    this.#isEmpty = true;
    this.#mayHaveOrphans = false;
    this.#isNumbering = session.capabilities.has(CAPABILITY_CLIENT_HANDLES);
    const tables = [this.#tagOf, this.#tagByNumber, this.#numberOf, this.#advised, this.#unwanted, this.#refusals];
    for (const each of tables) each.clear();
    this.#done = -1;
  }

  /**
   * Carries out what is wanted in the session, again and again, while somebody else reads the events.
   *
   * @param onProgress called when further items have become known, and when all is done that was wanted.
   * @throws the session or the connection failed, or `signal` aborted. A refused tag stands in `refusals`.
   */
  async keep(session: Session, signal: AbortSignal, onProgress: () => void): Promise<never> {
    // What was asked for while there was no connection, and what the last interruption left half done.
    this.#hasWork = true;
    for (;;) {
      await this.#work(signal);
      const asked = this.#asked;
      await this.#removeUnwanted(session, signal);
      const add = this.#isEmpty && !this.#isSupervisory ? this.#subscribe : this.#add;
      this.#isEmpty = false;
      const missing = [...this.#tags].filter((tag) => !this.#advised.has(tag) && !this.#refusals.has(tag));
      const parts = [...chunks(missing, session.maxBulkItems)];
      for (const [index, part] of parts.entries()) {
        await this.#inParts(add.bind(this), session, part, signal);
        if (index + 1 < parts.length) onProgress();
      }
      this.#done = asked;
      onProgress();
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    while (!this.#hasWork) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        const done = (): void => {
          signal.removeEventListener("abort", done);
          this.#wake = undefined;
          resolve();
        };
        this.#wake = done;
        signal.addEventListener("abort", done, { once: true });
      });
    }
    signal.throwIfAborted();
    this.#hasWork = false;
  }

  /** Waits for the reply that names new items, if one is under way. */
  async allKnown(): Promise<void> {
    await this.#adding;
  }

  /** What the tags are now; those of a call that is under way are among them. */
  async read(session: Session, signal: AbortSignal): Promise<[string, BulkReadResult][]> {
    await this.allKnown();
    const found: [string, BulkReadResult][] = [];
    const advised = [...this.#tags].filter((tag) => this.#advised.has(tag));
    for (const part of chunks(advised, session.maxBulkItems)) {
      const results = await session.readBulk(this.#server, part, { signal });
      for (const [index, result] of results.entries()) found.push([part[index] ?? "", result]);
    }
    return found;
  }

  /** Un-advises and removes the items, and unregisters. */
  async removeAll(session: Session): Promise<void> {
    if (!this.#isRegistered) return;
    for (const handle of this.#tagOf.keys()) this.#unwanted.add(handle);
    await this.#removeUnwanted(session);
    await session.unregister(this.#server);
  }

  /** Refused as a whole: halving finds out whose fault it is. */
  async #inParts(add: Adder, session: Session, tags: readonly string[], signal: AbortSignal): Promise<void> {
    try {
      await add(session, tags, signal);
    } catch (error) {
      if (!(error instanceof MxGatewayCommandError) || isTransient(error)) throw error;
      const [first] = tags;
      if (tags.length > 1) {
        const half = Math.floor(tags.length / 2);
        await this.#inParts(add, session, tags.slice(0, half), signal);
        await this.#inParts(add, session, tags.slice(half), signal);
      } else if (first !== undefined) this.#refuse(first, error.message);
    }
  }

  /** Adds and advises in one call; a first value may come before its reply. */
  async #subscribe(session: Session, asked: readonly string[], signal: AbortSignal): Promise<void> {
    // A tag that was removed again while earlier ones were added.
    const tags = asked.filter((tag) => this.#tags.has(tag));
    const numbers = this.#numbered(tags);
    let known = (): void => undefined;
    this.#adding = new Promise((resolve) => {
      known = resolve;
    });
    let results: SubscribeResult[];
    try {
      results = await session.subscribeBulk(this.#server, tags, { signal, clientHandles: numbers });
    } catch (error) {
      this.#mayHaveOrphans = true;
      this.#forget(numbers);
      throw error;
    } finally {
      this.#adding = undefined;
      known();
    }
    for (const [index, result] of results.entries()) {
      const tag = tags[index] ?? "";
      const handle = this.#take(tag, numbers[index] ?? 0, result);
      if (handle !== undefined) this.#advised.set(tag, handle);
    }
  }

  /** Adds and then advises, so that each item is known before its first value. */
  async #add(session: Session, tags: readonly string[], signal: AbortSignal): Promise<void> {
    const numbers = this.#numbered(tags);
    let added: SubscribeResult[];
    try {
      added = await session.addItemBulk(this.#server, tags, { signal, clientHandles: numbers });
    } catch (error) {
      this.#forget(numbers);
      throw error;
    }
    const handles = added
      .map((result, index) => this.#take(tags[index] ?? "", numbers[index] ?? 0, result))
      .filter((handle) => handle !== undefined);
    let refused: ReadonlyMap<number, string>;
    try {
      refused = await this.#advise(session, handles, signal);
    } catch (error) {
      // Whether they are advised is unknown: they go, and others come in their place.
      for (const handle of handles) this.#discard(handle);
      throw error;
    }
    for (const handle of handles) {
      const tag = this.#tagOf.get(handle);
      if (tag === undefined) continue;
      const reason = refused.get(handle);
      if (reason === undefined) {
        this.#advised.set(tag, handle);
        continue;
      }
      this.#discard(handle);
      this.#refuse(tag, reason);
    }
  }

  /** Advises items; those that were refused, with the reason. */
  async #advise(
    session: Session,
    handles: readonly number[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<number, string>> {
    const refused = new Map<number, string>();
    if (!this.#isSupervisory) {
      if (handles.length === 0) return refused;
      const results = await session.adviseItemBulk(this.#server, handles, { signal });
      for (const [index, result] of results.entries())
        if (!result.wasSuccessful) refused.set(handles[index] ?? 0, result.errorMessage || "refused");
      return refused;
    }
    const adviseOne = async (handle: number): Promise<void> => {
      try {
        await session.adviseSupervisory(this.#server, handle, { signal });
      } catch (error) {
        if (!(error instanceof MxAccessError)) throw error;
        refused.set(handle, error.message);
      }
    };
    for (const part of chunks(handles, MAX_CALLS)) await Promise.all(part.map(adviseOne));
    return refused;
  }

  async #removeUnwanted(session: Session, signal?: AbortSignal): Promise<void> {
    const call = signal === undefined ? {} : { signal };
    const unwanted = [...this.#unwanted].sort((one, other) => one - other);
    for (const handles of chunks(unwanted, session.maxBulkItems)) {
      try {
        const results = await session.unsubscribeBulk(this.#server, handles, call);
        // An item that is not advised is not removed by that.
        const left = handles.filter((_, index) => results[index]?.wasSuccessful === false);
        if (left.length > 0) await session.removeItemBulk(this.#server, left, call);
      } catch (error) {
        if (!(error instanceof MxGatewayCommandError) || isTransient(error)) throw error;
      }
      for (const handle of handles) this.#unwanted.delete(handle);
    }
  }

  /** A new number for each tag, where the gateway takes them. */
  #numbered(tags: readonly string[]): number[] {
    if (!this.#isNumbering) return [];
    return tags.map((tag) => {
      this.#lastNumber += 1;
      this.#tagByNumber.set(this.#lastNumber, tag);
      return this.#lastNumber;
    });
  }

  #forget(numbers: readonly number[]): void {
    for (const number of numbers) this.#tagByNumber.delete(number);
  }

  /** Notes a new item; its handle, unless the tag was refused or is wanted no more. */
  #take(tag: string, number: number, result: SubscribeResult): number | undefined {
    if (!result.wasSuccessful) {
      this.#forget([number]);
      this.#refuse(tag, result.errorMessage || "refused");
      return undefined;
    }
    if (!this.#tags.has(tag)) {
      this.#forget([number]);
      this.#discard(result.itemHandle);
      return undefined;
    }
    this.#tagOf.set(result.itemHandle, tag);
    if (number > 0) {
      // It may have been unwanted and wanted again meanwhile.
      this.#tagByNumber.set(number, tag);
      this.#numberOf.set(result.itemHandle, number);
    }
    return result.itemHandle;
  }

  #discard(handle: number): void {
    this.#tagOf.delete(handle);
    this.#forget([this.#numberOf.get(handle) ?? 0]);
    this.#numberOf.delete(handle);
    this.#unwanted.add(handle);
    this.#rouse();
  }

  #refuse(tag: string, reason: string): void {
    if (this.#tags.has(tag)) this.#refusals.set(tag, reason);
  }
}
