/** The event stream of a session: single events, whatever form they travelled in. */

import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";

import { type MxEvent, type MxEventBatch, MxEventSchema } from "./gen/mxaccess_gateway_pb.js";
import { MxTime } from "./time.js";
import type { ServerStream } from "./transport.js";

/**
 * An async iterable over a session's events, in the order of their workerSequence.
 *
 * Leaving the loop or `close()` ends the gRPC stream. That never aborts a COM call, and the session stays ready: a new
 * stream with `afterWorkerSequence` goes on without a gap.
 *
 * An event whose `replayGap` is set is not an event of MXAccess but the marker of lost ones: at the head of a resumed
 * stream whose position is too old, or where a backpressure policy dropped events.
 */
export class EventStream implements AsyncIterableIterator<MxEvent> {
  readonly #stream: ServerStream<MxEvent> | ServerStream<MxEventBatch>;
  #waiting: MxEvent[] = [];
  #position = 0;
  #lastSequence = 0n;
  #dropped = 0n;
  #replayed = 0;
  #stamp: Timestamp | undefined;

  constructor(stream: ServerStream<MxEvent> | ServerStream<MxEventBatch>) {
    this.#stream = stream;
  }

  /** Whether the gateway has accepted the stream; false when it has refused it, which iterating tells. */
  get opened(): Promise<boolean> {
    return this.#stream.opened;
  }

  /** workerSequence of the youngest event taken from this stream; 0 before the first one. */
  get lastWorkerSequence(): bigint {
    return this.#lastSequence;
  }

  /** Events of this stream that a backpressure policy dropped or replaced, as far as the gateway has said. */
  get droppedEvents(): bigint {
    return this.#dropped;
  }

  /** How many events at the head of what was received last come from the gateway's replay ring. */
  get replayedEvents(): number {
    return this.#replayed;
  }

  /** When the gateway received the youngest event of what was received last; only where it sends batches. */
  get gatewayReceiveTime(): MxTime | undefined {
    return this.#stamp && MxTime.fromTimestamp(this.#stamp);
  }

  /** Itself: it is iterated once. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next event; done after an ordinary end and after `close`. Throws what the stream has ended with. */
  async next(): Promise<IteratorResult<MxEvent, undefined>> {
    for (;;) {
      const event = this.#waiting[this.#position];
      if (event !== undefined) {
        this.#position += 1;
        if (this.#stamp !== undefined) event.gatewayReceiveTimestamp = this.#stamp;
        if (event.workerSequence > 0n) this.#lastSequence = event.workerSequence;
        return { done: false, value: event };
      }
      this.#position = 0;
      const received = await this.#receive();
      if (received === undefined) return { done: true, value: undefined };
      this.#waiting = received;
    }
  }

  /** Everything that waits, as one list at a time: the cheapest way to take very many events. */
  async *batches(): AsyncGenerator<MxEvent[], void, undefined> {
    try {
      for (;;) {
        let events: MxEvent[] | undefined = this.#waiting.slice(this.#position);
        this.#waiting = [];
        this.#position = 0;
        if (events.length === 0) events = await this.#receive();
        if (events === undefined) return;
        // What is no event of the worker's, such as a value that is sent once more, has no sequence.
        let last = events.length - 1;
        while (last >= 0 && events[last]?.workerSequence === 0n) last -= 1;
        this.#lastSequence = events[last]?.workerSequence ?? this.#lastSequence;
        yield events;
      }
    } finally {
      this.close();
    }
  }

  /** Ends the stream at once. Idempotent. */
  close(): void {
    this.#stream.close();
  }

  /** Ends the stream: leaving a `for await` loop calls this. */
  async return(): Promise<IteratorResult<MxEvent, undefined>> {
    this.#waiting = [];
    this.#position = 0;
    await this.#stream.return();
    return { done: true, value: undefined };
  }

  /** `close`, at the end of an `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  async #receive(): Promise<MxEvent[] | undefined> {
    const found = await this.#stream.next();
    if (found.done) {
      this.#waiting = [];
      return undefined;
    }
    const message = found.value;
    if (message.$typeName === "mxaccess_gateway.v1.MxEvent") {
      this.#dropped += message.replayGap?.droppedEvents ?? 0n;
      return [message];
    }
    this.#replayed = message.replayedEvents;
    this.#stamp = message.gatewayReceiveTimestamp;
    if (message.droppedEvents === 0n) return message.events;
    this.#dropped += message.droppedEvents;
    // The single-event stream has a marker at this place; a gap is as visible here.
    this.#replayed += this.#replayed > 0 ? 1 : 0;
    return [create(MxEventSchema, { replayGap: { droppedEvents: message.droppedEvents } }), ...message.events];
  }
}
