// The gateway's figures over time: what it has kept, and what came since as frames.
import { useEffect, useState } from "preact/hooks";
import { get } from "../api.ts";
import { appended, type History, read, type Told } from "../series.ts";
import { frame } from "../state.ts";
import type { Frame } from "../types.ts";

export type Span = "5m" | "1h" | "24h";

const NOTHING: History = { times: [], series: {}, peaks: {} };
const MOST: Record<Span, number> = { "5m": 300, "1h": 60, "24h": 1440 };

export function sampleOf(next: Frame): Record<string, number | null> {
  return {
    eventsIn: next.rates.eventsIn,
    commands: next.rates.commands,
    dropped: next.rates.dropped,
    waiting: next.rates.waiting,
    sessions: next.sessions.length,
    workers: next.workers.alive,
    loopLag: next.process.lag,
    cpu: next.process.cpu,
    memory: next.process.memory,
  };
}

export function useHistory(span: Span): History {
  const [history, setHistory] = useState<History>(NOTHING);
  const next = frame.value;

  useEffect(() => {
    const ending = new AbortController();
    const ask = () =>
      get<Told>(`/history?span=${span}`, ending.signal).then(
        (told) => setHistory(read(told, frame.peek()?.at ?? Date.now())),
        () => undefined,
      );
    setHistory(NOTHING);
    void ask();
    const timer = span === "5m" ? undefined : setInterval(ask, 60_000);
    return () => {
      ending.abort();
      clearInterval(timer);
    };
  }, [span]);

  useEffect(() => {
    if (next && span === "5m") setHistory((before) => appended(before, next.at, sampleOf(next), MOST[span]));
  }, [next?.n, span]);

  return history;
}
