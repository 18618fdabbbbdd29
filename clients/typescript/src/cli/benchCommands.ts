/** Commands that measure. */

import { type GatewayClient } from "../client.js";
import type { MxEvent } from "../gen/mxaccess_gateway_pb.js";
import type { Session } from "../session.js";
import { chunks } from "../subscriptionRules.js";
import { type Percentiles, percentiles } from "./percentiles.js";
import { CommandFailure } from "./outcomes.js";
import type { Run } from "./run.js";
import type { Handler } from "./sessionCommands.js";

const MAX_SAMPLES = 2_000_000;

function tagsOf(run: Run): string[] {
  const first = run.number("tag-start");
  const name = (index: number): string => `${run.text("tag-prefix")}${String(first + index).padStart(3, "0")}`;
  return Array.from({ length: run.number("bulk-size") }, (_, index) => `${name(index)}.${run.text("tag-attribute")}`);
}

/** A report is a document for programs, with --json and without. */
function print(run: Run, report: object): void {
  run.output.out(JSON.stringify(report, null, 2));
}

function thousandths(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function perSecond(count: number, milliseconds: number): number {
  return milliseconds > 0 ? thousandths((count / milliseconds) * 1000) : 0;
}

/** Registers and subscribes, and fails where a tag is refused. */
async function subscribed(run: Run, session: Session, name: string, tags: readonly string[]): Promise<number> {
  const handle = await session.register(name, run.call);
  for (const part of chunks(tags, session.maxBulkItems)) {
    const results = await session.subscribeBulk(handle, part, run.call);
    const refused = results.find((each) => !each.wasSuccessful);
    if (refused) throw new CommandFailure(`a tag was refused: ${refused.tagAddress}: ${refused.errorMessage}`);
  }
  return handle;
}

/** Handlers by command. */
export const BENCH_COMMANDS: Readonly<Record<string, Handler>> = {
  "bench-read-bulk": async (run) => {
    await run.gateway(async (client) => {
      await using session = await client.openSession({ clientSessionName: "bench-read-bulk", ...run.call });
      await readBulk(run, session);
    });
  },
  "bench-stream-events": async (run) => {
    await run.gateway(async (client) => {
      await streamEvents(run, client);
    });
  },
};

/** Counted while it measures; a call that failed is in `failures` only. */
class ReadFigures {
  readonly successes: number[] = [];
  readonly failures: number[] = [];
  results = 0;
  cached = 0;
  unreadable = 0;
  durationMs = 0;
  lastError = "";

  report(): object {
    const total = this.successes.length + this.failures.length;
    return {
      language: "typescript",
      durationMs: thousandths(this.durationMs),
      totalCalls: total,
      successfulCalls: this.successes.length,
      failedCalls: this.failures.length,
      totalReadResults: this.results,
      cachedReadResults: this.cached,
      callsPerSecond: perSecond(total, this.durationMs),
      latencyMs: percentiles(this.successes),
      failureLatencyMs: percentiles(this.failures),
    };
  }

  /** Why the figures are no measure of reads of subscribed tags; empty when they are one. */
  problem(tag: string): string {
    if (this.successes.length === 0) return `no call succeeded: ${this.lastError}`;
    if (this.unreadable > 0)
      return `${this.unreadable} of ${this.results} results were failures; is ${tag} a tag? (--tag-prefix)`;
    if (this.cached !== this.results)
      return (
        `${this.results - this.cached} of ${this.results} results were not cached, so they measure the plant: ` +
        "give the tags time for their first value (--warmup-seconds)"
      );
    return "";
  }
}

/** Calls read_bulk one after the other for some time; an interrupt ends it at once. */
async function readLoop(
  run: Run,
  session: Session,
  handle: number,
  tags: readonly string[],
  seconds: number,
): Promise<ReadFigures> {
  const figures = new ReadFigures();
  const call = { tagTimeoutMs: run.number("timeout-ms"), ...run.call };
  const began = performance.now();
  while (performance.now() - began < seconds * 1000) {
    const at = performance.now();
    try {
      const found = await session.readBulk(handle, tags, call);
      figures.successes.push(performance.now() - at);
      figures.results += found.length;
      for (const each of found) {
        if (each.wasCached) figures.cached += 1;
        if (!each.wasSuccessful) figures.unreadable += 1;
      }
    } catch (error) {
      run.signal.throwIfAborted();
      figures.failures.push(performance.now() - at);
      figures.lastError = error instanceof Error ? error.message : String(error);
    }
  }
  figures.durationMs = performance.now() - began;
  return figures;
}

async function readBulk(run: Run, session: Session): Promise<void> {
  const tags = tagsOf(run);
  const handle = await subscribed(run, session, "bench-read-bulk", tags);
  await readLoop(run, session, handle, tags, run.number("warmup-seconds"));
  const figures = await readLoop(run, session, handle, tags, run.number("duration-seconds"));
  print(run, figures.report());
  const problem = figures.problem(tags[0] ?? "");
  if (problem) throw new CommandFailure(problem);
}

/** The events of all sessions while it measures. */
class EventFigures {
  isCounting = false;
  events = 0;
  lost = 0;
  readonly #latencies: number[] = [];

  take(batch: readonly MxEvent[], nowMs: number): void {
    if (!this.isCounting) return;
    for (const event of batch) {
      if (event.replayGap) {
        this.lost += Number(event.replayGap.droppedEvents);
        continue;
      }
      this.events += 1;
      const stamp = event.workerTimestamp;
      if (stamp && this.#latencies.length < MAX_SAMPLES)
        this.#latencies.push(nowMs - Number(stamp.seconds) * 1000 - stamp.nanos / 1e6);
    }
  }

  get latencyMs(): Percentiles {
    return percentiles(this.#latencies);
  }
}

async function streamEvents(run: Run, client: GatewayClient): Promise<void> {
  const tags = tagsOf(run);
  const figures = new EventFigures();
  const sessions: Session[] = [];
  const readers: Promise<void>[] = [];
  const streams: { close(): void }[] = [];
  // Aborted by the first stream that ends, and by whoever interrupts.
  const ended = new AbortController();
  const signal = AbortSignal.any([run.signal, ended.signal]);
  try {
    for (let index = 0; index < run.number("session-count"); index += 1) {
      if (index > 0) await pause(run.number("session-start-stagger-ms"), signal);
      const session = await client.openSession({ clientSessionName: `bench-stream-events ${index + 1}`, ...run.call });
      sessions.push(session);
      const stream = session.events();
      streams.push(stream);
      readers.push(
        (async () => {
          let cause = "";
          try {
            // From the performance clock, because Date tells whole milliseconds only.
            for await (const batch of stream.batches()) figures.take(batch, performance.timeOrigin + performance.now());
          } catch (error) {
            cause = `: ${error instanceof Error ? error.message : String(error)}`;
          }
          ended.abort(new CommandFailure(`an event stream ended${cause}`));
        })(),
      );
      await subscribed(run, session, "bench-stream-events", tags);
    }
    await pause(run.number("warmup-seconds") * 1000, signal);
    figures.isCounting = true;
    const began = performance.now();
    await pause(run.number("duration-seconds") * 1000, signal);
    figures.isCounting = false;
    const durationMs = performance.now() - began;
    print(run, {
      language: "typescript",
      durationMs: thousandths(durationMs),
      sessionCount: sessions.length,
      tagsPerSession: tags.length,
      totalEvents: figures.events,
      eventsPerSecond: perSecond(figures.events, durationMs),
      lostEvents: figures.lost,
      latencyMs: figures.latencyMs,
    });
    if (figures.events === 0) throw new CommandFailure(`no tag changed; is ${tags[0]} a tag? (--tag-prefix)`);
  } finally {
    for (const stream of streams) stream.close();
    await Promise.allSettled(readers);
    await Promise.allSettled(sessions.map((session) => session.close()));
  }
}

/** Lets time pass, unless the signal ends it. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
  });
}
