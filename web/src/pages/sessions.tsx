import { useState } from "preact/hooks";
import { post } from "../api.ts";
import { saveCsv } from "../csv.ts";
import { bytes, count, dateTime, duration, rate, shortId, words } from "../format.ts";
import { useLoaded } from "../load.ts";
import { Choice, Empty, Failure, Loading, SessionState, State, Text } from "../parts/basics.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { query, setQuery } from "../router.ts";
import { frame, isStale, may, zone } from "../state.ts";
import type { Ended, SessionRow } from "../types.ts";

export const COLUMNS: Column<SessionRow>[] = [
  {
    id: "state",
    title: "State",
    value: (row) => (row.fault ? "0" : row.why.length ? "1" : "2") + row.state,
    cell: (row) => <SessionState state={row.state} why={row.why} />,
  },
  {
    id: "name",
    title: "Session",
    isName: true,
    value: (row) => row.name || row.sessionId,
    cell: (row) => (
      <a href={`/sessions/${row.sessionId}`}>
        <Text empty="unnamed">{row.name}</Text> <code class="dim">{shortId(row.sessionId)}</code>
      </a>
    ),
  },
  { id: "key", title: "Key", value: (row) => row.ownerKeyId, cell: (row) => <bdi>{row.ownerKeyId}</bdi> },
  {
    id: "events",
    title: "Events",
    unit: "/s",
    isNumber: true,
    value: (row) => row.eventsPerSecond,
    cell: (row) => rate(row.eventsPerSecond),
  },
  {
    id: "commands",
    title: "Commands",
    unit: "/s",
    isNumber: true,
    value: (row) => row.commandsPerSecond,
    cell: (row) => rate(row.commandsPerSecond),
  },
  { id: "flight", title: "In flight", isNumber: true, value: (row) => row.commandsUnderWay },
  { id: "waiting", title: "Waiting", isNumber: true, value: (row) => row.waiting, cell: (row) => count(row.waiting) },
  {
    id: "dropped",
    title: "Dropped",
    isNumber: true,
    value: (row) => row.dropped,
    cell: (row) => <span class={row.dropped ? "warn-text" : ""}>{count(row.dropped)}</span>,
  },
  { id: "items", title: "Tags", isNumber: true, value: (row) => row.items, cell: (row) => count(row.items) },
  { id: "streams", title: "Streams", isNumber: true, value: (row) => row.eventStreams.length },
  { id: "pid", title: "Worker", isNumber: true, isWide: true, value: (row) => row.worker?.pid ?? 0 },
  {
    id: "silence",
    title: "Heartbeat",
    isNumber: true,
    isWide: true,
    value: (row) => row.silence,
    cell: (row) => (row.worker ? `${row.silence.toFixed(0)} s` : "–"),
  },
  { id: "age", title: "Open", isNumber: true, value: (row) => row.ageSeconds, cell: (row) => duration(row.ageSeconds) },
];

interface Closed {
  results: { id: string; outcome: string; detail: string }[];
}

export function told(found: Closed): string {
  const [first] = found.results;
  if (first && found.results.length === 1)
    return first.outcome === "gone" ? "The session had ended before." : `The session was ${first.outcome}.`;
  const counts = new Map<string, number>();
  for (const { outcome } of found.results) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  const texts = [...counts].map(([outcome, number]) => `${number} ${outcome === "gone" ? "had ended before" : outcome}`);
  return `${found.results.length} sessions: ${texts.join(", ")}.`;
}

export function CloseDialog({ rows, onClose }: { rows: SessionRow[]; onClose: () => void }) {
  const [first] = rows;
  return (
    <Dialog
      title={rows.length === 1 ? "Close this session?" : `Close ${rows.length} sessions?`}
      action="Close"
      reason="optional"
      onClose={onClose}
      onDo={async (reason) =>
        told(await post<Closed>("/sessions/close", { sessions: rows.map((row) => row.sessionId), reason }))
      }
    >
      {rows.length === 1 && first ? (
        <p>
          <Text empty="unnamed">{first.name}</Text> <code>{shortId(first.sessionId)}</code>, opened by the key{" "}
          <bdi>{first.ownerKeyId}</bdi> {duration(first.ageSeconds)} ago, holds {count(first.items)} tags.
        </p>
      ) : (
        <p>{rows.map((row) => row.name || shortId(row.sessionId)).join(", ")}</p>
      )}
      <p class="dim">Its worker ends in order. The client is told that an operator closed it, and may open another.</p>
    </Dialog>
  );
}

function save(rows: SessionRow[]): void {
  const head = ["session", "name", "key", "state", "events/s", "commands/s", "waiting", "dropped", "tags", "worker", "why"];
  const lines = rows.map((row) => [
    row.sessionId,
    row.name,
    row.ownerKeyId,
    row.state,
    row.eventsPerSecond,
    row.commandsPerSecond,
    row.waiting,
    row.dropped,
    row.items,
    row.worker?.pid ?? "",
    row.why.join("; "),
  ]);
  saveCsv("sessions.csv", [head, ...lines]);
}

function Closed() {
  const { value, problem } = useLoaded<{ sessions: Ended[] }>("/sessions/ended", 5);
  if (!value) return problem ? <Failure error={problem} /> : <Loading what="what has ended" />;
  return (
    <Table
      caption="Closed sessions"
      name="c"
      rows={value.sessions}
      id={(row) => row.sessionId}
      sort="-ended"
      columns={[
        {
          id: "ended",
          title: "Ended",
          value: (row) => row.ended,
          cell: (row) => <span class="nowrap">{dateTime(row.ended, zone.value)}</span>,
        },
        {
          id: "name",
          title: "Session",
          isName: true,
          value: (row) => row.name || row.sessionId,
          cell: (row) => (
            <a href={`/sessions/${row.sessionId}`}>
              <Text empty="unnamed">{row.name}</Text> <code class="dim">{shortId(row.sessionId)}</code>
            </a>
          ),
        },
        { id: "key", title: "Key", value: (row) => row.ownerKeyId, cell: (row) => <bdi>{row.ownerKeyId}</bdi> },
        {
          id: "reason",
          title: "Why",
          value: (row) => row.fault || row.reason,
          cell: (row) => (
            <State tone={row.fault ? "bad" : row.isClean ? "good" : "warn"}>
              {row.fault || words(row.reason)}
              {!row.isClean && !row.fault && ", by force"}
            </State>
          ),
        },
        { id: "lasted", title: "Lasted", isNumber: true, value: (row) => row.ended - row.opened, cell: (row) => duration((row.ended - row.opened) / 1000) },
        { id: "commands", title: "Commands", isNumber: true, value: (row) => row.commandsStarted, cell: (row) => count(row.commandsStarted) },
        { id: "events", title: "Events", isNumber: true, value: (row) => row.eventsReceived, cell: (row) => count(row.eventsReceived) },
        { id: "dropped", title: "Dropped", isNumber: true, value: (row) => row.eventsDropped, cell: (row) => count(row.eventsDropped) },
        { id: "pid", title: "Worker", isNumber: true, isWide: true, value: (row) => row.workerPid },
      ]}
      empty={<Empty title="No session has ended yet">The last ones are kept here with the reason, as long as the gateway runs.</Empty>}
    />
  );
}

const TABS = [
  ["open", "Open"],
  ["closed", "Closed"],
] as const;

export function Sessions() {
  const tab = query.value.get("tab") === "closed" ? "closed" : "open";
  return (
    <>
      <div class="controls">
        <Choice label="View" options={TABS} value={tab} onChange={(next) => setQuery({ tab: next === "open" ? "" : next })} />
      </div>
      {tab === "closed" ? <Closed /> : <Open />}
    </>
  );
}

function Open() {
  const now = frame.value;
  const [selected, setSelected] = useState<Set<string>>(new Set());
  const [isClosing, setClosing] = useState(false);
  if (!now) return <Loading what="the sessions" />;

  const text = (query.value.get("q") ?? "").toLowerCase();
  const onlyAttention = query.value.get("attention") === "1";
  const state = query.value.get("state") ?? "";
  const states = [...new Set(now.sessions.map((row) => row.state))].sort();
  const rows = now.sessions.filter(
    (row) =>
      (!onlyAttention || row.why.length > 0) &&
      (!state || row.state === state) &&
      (!text || `${row.name} ${row.sessionId} ${row.ownerKeyId} ${row.why.join(" ")}`.toLowerCase().includes(text)),
  );
  const chosen = rows.filter((row) => selected.has(row.sessionId));
  const wanting = now.sessions.filter((row) => row.why.length).length;
  const memory = now.sessions.reduce((sum, row) => sum + row.eventStreams.reduce((all, one) => all + one.waitingBytes, 0), 0);
  return (
    <>
      <div class="controls">
        <label class="search">
          <span class="unseen">Filter by name, key or id</span>
          <input
            type="search"
            placeholder="Name, key or id"
            value={query.value.get("q") ?? ""}
            onInput={(event) => setQuery({ q: event.currentTarget.value })}
          />
        </label>
        <label class="inline">
          <input
            type="checkbox"
            checked={onlyAttention}
            onChange={(event) => setQuery({ attention: event.currentTarget.checked ? "1" : "" })}
          />
          Needs attention <span class="dim">({wanting})</span>
        </label>
        <label class="inline">
          State
          <select value={state} onChange={(event) => setQuery({ state: event.currentTarget.value })}>
            <option value="">any</option>
            {states.map((each) => (
              <option key={each} value={each}>
                {words(each)}
              </option>
            ))}
          </select>
        </label>
        <span class="grow" />
        {may("operator") && chosen.length > 0 && (
          <button type="button" aria-disabled={isStale.value} disabled={chosen.length > 50} onClick={() => !isStale.value && setClosing(true)}>
            Close {chosen.length} selected
          </button>
        )}
        {rows.length > 0 && (
          <button type="button" class="quiet" onClick={() => save(rows)}>
            Save as CSV
          </button>
        )}
      </div>
      <p class="dim sum">
        {rows.length} of {now.sessions.length} sessions · {now.workers.alive} workers, {now.workers.pooled} of{" "}
        {now.workers.poolSize} kept ready · {bytes(memory)} of events wait
      </p>
      <Table
        caption="Sessions"
        name="s"
        rows={rows}
        columns={COLUMNS}
        id={(row) => row.sessionId}
        sort="state"
        rowClass={(row) => (row.fault ? "is-bad" : row.why.length ? "is-warn" : "")}
        {...(may("operator") ? { selected, onSelect: setSelected } : {})}
        empty={
          now.sessions.length ? (
            <Empty title="No session fits the filter">Change the filter, or clear it.</Empty>
          ) : (
            <Empty title="No session is open">
              A client opens one, for example <code>mxgw-py watch</code>. Each has a worker process of its own.
            </Empty>
          )
        }
      />
      {isClosing && (
        <CloseDialog
          rows={chosen}
          onClose={() => {
            setClosing(false);
            setSelected(new Set());
          }}
        />
      )}
    </>
  );
}
