/** Commands that measure. */

import { type GatewayClient } from "../client.js";
import type { Session } from "../session.js";
import { percentiles } from "./percentiles.js";
import { CommandFailure, type Run } from "./run.js";
import type { Handler } from "./sessionCommands.js";

function tagsOf(run: Run, first: number): string[] {
  const name = (index: number): string => `${run.text("tag-prefix")}${String(first + index).padStart(3, "0")}`;
  return Array.from({ length: run.number("bulk-size") }, (_, index) => `${name(index)}.${run.text("tag-attribute")}`);
}

/** A report is a document for programs, with --json and without. */
function print(run: Run, report: object): void {
  run.output.out(JSON.stringify(report, null, 2));
}

/** Handlers by command. */
export const BENCH_COMMANDS: Readonly<Record<string, Handler>> = {
  "bench-read-bulk": async (run) => {
    await run.gateway(async (client) => {
      await using session = await client.openSession({ clientSessionName: "mxgw-ts bench-read-bulk", ...run.call });
      print(run, await readBulk(run, session));
    });
  },
  "bench-stream-events": async (run) => {
    await run.gateway(async (client) => {
      print(run, await streamEvents(run, client));
    });
  },
};

async function readBulk(run: Run, session: Session): Promise<object> {
  const tags = tagsOf(run, run.number("tag-start"));
  const handle = await session.register("mxgw-ts bench-read-bulk", run.call);
  await session.subscribeBulk(handle, tags, run.call);
  const call = { tagTimeoutMs: run.number("timeout-ms"), ...run.call };
  const successes: number[] = [];
  const failures: number[] = [];
  let results = 0;
  let cached = 0;
  const warm = performance.now() + run.number("warmup-seconds") * 1000;
  while (performance.now() < warm) await session.readBulk(handle, tags, call);
  const begun = performance.now();
  const end = begun + run.number("duration-seconds") * 1000;
  while (performance.now() < end) {
    const at = performance.now();
    try {
      const found = await session.readBulk(handle, tags, call);
      successes.push(performance.now() - at);
      results += found.length;
      cached += found.filter((each) => each.wasCached).length;
    } catch {
      run.signal.throwIfAborted();
      failures.push(performance.now() - at);
    }
  }
  const durationMs = Math.round((performance.now() - begun) * 1000) / 1000;
  const report = {
    language: "typescript",
    durationMs,
    totalCalls: successes.length + failures.length,
    successfulCalls: successes.length,
    failedCalls: failures.length,
    totalReadResults: results,
    cachedReadResults: cached,
    callsPerSecond: Math.round((successes.length / durationMs) * 1e6) / 1000,
    latencyMs: percentiles(successes),
    failureLatencyMs: percentiles(failures),
  };
  if (successes.length === 0 || cached !== results) {
    print(run, report);
    throw new CommandFailure(
      `this measures nothing: ${successes.length} calls succeeded, ${cached} of ${results} results came from advised tags`,
    );
  }
  return report;
}

async function streamEvents(run: Run, client: GatewayClient): Promise<object> {
  const sessions: Session[] = [];
  const latencies: number[] = [];
  let total = 0;
  let lost = 0;
  const phase = { isMeasuring: false };
  const readers: Promise<void>[] = [];
  const streams: { close(): void }[] = [];
  try {
    for (let index = 0; index < run.number("session-count"); index += 1) {
      if (index > 0) await new Promise((resolve) => setTimeout(resolve, run.number("session-start-stagger-ms")));
      const session = await client.openSession({
        clientSessionName: `mxgw-ts bench-stream-events ${index}`,
        ...run.call,
      });
      sessions.push(session);
      const stream = session.events();
      streams.push(stream);
      readers.push(
        (async () => {
          let last = 0n;
          for await (const batch of stream.batches()) {
            for (const event of batch) {
              if (event.workerSequence === 0n) continue;
              if (last > 0n && phase.isMeasuring) lost += Number(event.workerSequence - last - 1n);
              last = event.workerSequence;
              if (!phase.isMeasuring) continue;
              total += 1;
              const stamp = event.workerTimestamp;
              if (stamp !== undefined)
                latencies.push(Math.max(0, Date.now() - Number(stamp.seconds) * 1000 - stamp.nanos / 1e6));
            }
          }
        })(),
      );
      const handle = await session.register("mxgw-ts bench-stream-events", run.call);
      await session.subscribeBulk(handle, tagsOf(run, run.number("tag-start")), run.call);
    }
    await pause(run.number("warmup-seconds") * 1000, run.signal);
    phase.isMeasuring = true;
    const begun = performance.now();
    await pause(run.number("duration-seconds") * 1000, run.signal);
    phase.isMeasuring = false;
    const durationMs = Math.round((performance.now() - begun) * 1000) / 1000;
    const report = {
      language: "typescript",
      durationMs,
      sessionCount: run.number("session-count"),
      tagsPerSession: run.number("bulk-size"),
      totalEvents: total,
      eventsPerSecond: Math.round((total / durationMs) * 1e6) / 1000,
      lostEvents: lost,
      latencyMs: percentiles(latencies),
    };
    if (total === 0) {
      print(run, report);
      throw new CommandFailure("this measures nothing: no events came");
    }
    return report;
  } finally {
    for (const stream of streams) stream.close();
    await Promise.allSettled(readers);
    await Promise.allSettled(sessions.map((session) => session.close()));
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done, { once: true });
    if (signal.aborted) done();
  });
}
