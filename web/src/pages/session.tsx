import { useEffect, useState } from "preact/hooks";
import { get, post, Problem } from "../api.ts";
import { bytes, count, dateTime, duration, rate, shortId, words } from "../format.ts";
import { Empty, Failure, Figure, Figures, Loading, Section, SessionState, State, Text } from "../parts/basics.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { Plot } from "../parts/plot.tsx";
import { appended, type History } from "../series.ts";
import { frame, isStale, may, zone } from "../state.ts";
import type { Ended, SessionRow, Values } from "../types.ts";
import { CloseDialog } from "./sessions.tsx";
import { StreamTable } from "./streams.tsx";

interface Told {
  series: Record<string, Values>;
  ended?: Ended;
}

function useSessionHistory(sessionId: string, row: SessionRow | undefined) {
  const [history, setHistory] = useState<History>({ times: [], series: {}, peaks: {} });
  const [problem, setProblem] = useState<Problem | null>(null);
  const [over, setOver] = useState<Ended | null>(null);
  const n = frame.value?.n;

  useEffect(() => {
    const ending = new AbortController();
    get<Told>(`/sessions/${encodeURIComponent(sessionId)}`, ending.signal).then(
      (told) => {
        setOver(told.ended ?? null);
        const length = Math.max(0, ...Object.values(told.series).map((values) => values.length));
        const end = (frame.peek()?.at ?? Date.now()) / 1000;
        setHistory({
          times: Array.from({ length }, (_, index) => end - (length - 1 - index)),
          series: told.series,
          peaks: {},
        });
      },
      (error) => {
        if (error instanceof Problem) setProblem(error);
      },
    );
    return () => ending.abort();
  }, [sessionId]);

  useEffect(() => {
    if (!row || !frame.value) return;
    const sample = {
      events: row.eventsPerSecond,
      commands: row.commandsPerSecond,
      dropped: row.droppedPerSecond,
      waiting: row.waiting,
      inFlight: row.commandsUnderWay,
    };
    const { at } = frame.value;
    setHistory((before) => appended(before, at, sample, 300));
  }, [n]);

  return { history, problem, over };
}

function KillDialog({ row, onClose }: { row: SessionRow; onClose: () => void }) {
  return (
    <Dialog
      title="Kill this session?"
      action="Kill"
      isDangerous
      reason="needed"
      confirm={shortId(row.sessionId)}
      onClose={onClose}
      onDo={async (reason, confirm) => {
        await post(`/sessions/${row.sessionId}/kill`, { reason, confirm });
        return "The session was killed.";
      }}
    >
      <p>
        <Text empty="unnamed">{row.name}</Text>, opened by the key <bdi>{row.ownerKeyId}</bdi>, holds {count(row.items)} tags.
      </p>
      <p>
        Its worker{row.worker ? ` (process ${row.worker.pid})` : ""} ends at once and without being asked; what it was doing
        for MXAccess stays undone. Close it instead when it still answers.
      </p>
    </Dialog>
  );
}

export function SessionPage({ sessionId }: { sessionId: string }) {
  const now = frame.value;
  const live = now?.sessions.find((each) => each.sessionId === sessionId);
  const [last, setLast] = useState<SessionRow | null>(null);
  const [dialog, setDialog] = useState<"close" | "kill" | null>(null);
  const { history, problem, over } = useSessionHistory(sessionId, live);
  useEffect(() => {
    if (live) setLast(live);
  }, [now?.n]);

  const row = live ?? last;
  if (!now) return <Loading what="the session" />;
  if (!row && over)
    return (
      <Section title={over.name || "Unnamed session"} id="over" aside={<State tone="idle">Ended</State>}>
        <dl class="pairs">
          <dt>Id</dt>
          <dd class="wrap">
            <code>{over.sessionId}</code>
          </dd>
          <dt>Key</dt>
          <dd>
            <bdi>{over.ownerKeyId}</bdi>
          </dd>
          <dt>Open from</dt>
          <dd>{dateTime(over.opened, zone.value)}</dd>
          <dt>to</dt>
          <dd>
            {dateTime(over.ended, zone.value)}, {duration((over.ended - over.opened) / 1000)}
          </dd>
          <dt>Why it ended</dt>
          <dd>
            <Text>{over.faultText || words(over.reason)}</Text>
          </dd>
          <dt>Its worker</dt>
          <dd>
            process {over.workerPid}, ended {over.isClean ? "in order" : "by force"}
          </dd>
          <dt>Commands</dt>
          <dd>{count(over.commandsStarted)}</dd>
          <dt>Events</dt>
          <dd>
            {count(over.eventsReceived)}, {count(over.eventsDropped)} dropped
          </dd>
        </dl>
        <p class="crumbs">
          <a href="/sessions?tab=closed">All closed sessions</a>
        </p>
      </Section>
    );
  if (!row)
    return problem ? (
      <Empty title={problem.message}>
        <a href="/sessions">All sessions</a>
      </Empty>
    ) : (
      <Loading what="the session" />
    );
  const hasEnded = !live;
  const { times, series } = history;
  const { worker } = row;
  return (
    <div class={hasEnded ? "has-ended" : ""}>
      <p class="crumbs">
        <a href="/sessions">Sessions</a> <span aria-hidden="true">›</span> <code>{row.sessionId}</code>
      </p>
      <div class="title-line">
        <h2>
          <Text empty="Unnamed session">{row.name}</Text>
        </h2>
        {hasEnded ? <State tone="idle">Ended</State> : <SessionState state={row.state} why={row.why} />}
        <span class="grow" />
        {!hasEnded && may("operator") && (
          <button type="button" aria-disabled={isStale.value} onClick={() => !isStale.value && setDialog("close")}>
            Close …
          </button>
        )}
        {!hasEnded && may("admin") && (
          <button type="button" class="danger" aria-disabled={isStale.value} onClick={() => !isStale.value && setDialog("kill")}>
            Kill …
          </button>
        )}
      </div>
      {hasEnded && (
        <p class="notice">
          <State tone="idle">This session has ended. What is shown is its last state.</State>
        </p>
      )}
      {row.why.length > 0 && (
        <ul class="causes">
          {row.why.map((why) => (
            <li key={why}>
              <State tone={row.fault ? "bad" : "warn"}>{why}</State>
            </li>
          ))}
        </ul>
      )}
      <Failure error={problem && !hasEnded ? problem : null} />
      <Figures by={5}>
        <Figure label="Key" value={<bdi>{row.ownerKeyId}</bdi>} />
        <Figure label="Open" value={duration(row.ageSeconds)} />
        <Figure label="Idle" value={duration(row.idleSeconds)} note={<>lease left {duration(row.leaseSeconds)}</>} />
        <Figure
          label="Client"
          value={row.isConnected ? "connected" : "gone"}
          note={row.isKept ? "kept while it is gone" : undefined}
          tone={row.isConnected ? undefined : "warn"}
        />
        <Figure label="Tags" value={count(row.items)} />
        <Figure label="Events" value={rate(row.eventsPerSecond)} unit="/s" note={<>{count(row.eventsReceived)} in all</>} />
        <Figure
          label="Commands"
          value={rate(row.commandsPerSecond)}
          unit="/s"
          note={<>{count(row.commandsStarted)} in all</>}
        />
        <Figure label="In flight" value={count(row.commandsUnderWay)} />
        <Figure label="Waiting events" value={count(row.waiting)} note={<>{count(row.keptEvents)} kept to resume</>} />
        <Figure label="Dropped" value={count(row.dropped)} tone={row.dropped ? "warn" : undefined} />
      </Figures>
      <Section title="Last five minutes">
        <div class="plots two">
          <Plot title="Events in" unit="/s" times={times} lines={[{ label: "events", values: series.events ?? [] }]} show={rate} least={5} />
          <Plot
            title="Commands"
            unit="/s"
            times={times}
            lines={[{ label: "commands", values: series.commands ?? [] }]}
            show={rate}
            least={5}
          />
          <Plot
            title="Waiting events"
            unit=""
            times={times}
            lines={[{ label: "waiting", values: series.waiting ?? [] }]}
            show={count}
            least={10}
          />
          <Plot
            title="Dropped events"
            unit="/s"
            times={times}
            lines={[{ label: "dropped", values: series.dropped ?? [] }]}
            show={rate}
            least={5}
          />
        </div>
      </Section>
      <div class="columns">
        <Section title="Event streams">
          <StreamTable rows={row.eventStreams.map((stream, index) => ({ ...stream, session: row, index }))} isAlone />
        </Section>
        <Section title="Worker">
          {worker ? (
            <dl class="pairs">
              <dt>Process</dt>
              <dd>{worker.pid}</dd>
              <dt>State</dt>
              <dd>{worker.state ? words(worker.state) : "no heartbeat yet"}</dd>
              <dt>Memory</dt>
              <dd class="live">{worker.residentBytes ? bytes(worker.residentBytes) : "–"}</dd>
              <dt>Processor time</dt>
              <dd class="live">{worker.cpuSeconds.toFixed(1)} s</dd>
              {worker.callAgeSeconds > 0 && (
                <>
                  <dt>Running call</dt>
                  <dd class="live">for {duration(worker.callAgeSeconds)}</dd>
                </>
              )}
              <dt>Last heartbeat</dt>
              <dd class="live">{worker.heartbeatAgeSeconds.toFixed(0)} s ago</dd>
              <dt>Heartbeats</dt>
              <dd>{count(worker.heartbeats)}</dd>
              <dt>Commands in it</dt>
              <dd>{count(worker.pendingCommands)}</dd>
              <dt>Events in it</dt>
              <dd>{count(worker.queuedEvents)}</dd>
              <dt>Events dropped in it</dt>
              <dd>{count(worker.droppedEvents)}</dd>
              <dt>Refused after overflow</dt>
              <dd>{count(worker.refusedEvents)}</dd>
              <dt>Late replies</dt>
              <dd>{count(worker.lateReplies)}</dd>
              <dt>Log lines left out</dt>
              <dd>{count(worker.suppressedLines)}</dd>
              <dt>Waits to be read by it</dt>
              <dd>{bytes(worker.unsentBytes)}</dd>
            </dl>
          ) : (
            <Empty title="No worker yet">It is being started.</Empty>
          )}
        </Section>
      </div>
      {dialog === "close" && <CloseDialog rows={[row]} onClose={() => setDialog(null)} />}
      {dialog === "kill" && <KillDialog row={row} onClose={() => setDialog(null)} />}
    </div>
  );
}
