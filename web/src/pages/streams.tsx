import { bytes, count, duration, number, shortId, words } from "../format.ts";
import { Empty, Loading, Text } from "../parts/basics.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { frame } from "../state.ts";
import type { EventStream, SessionRow } from "../types.ts";

export interface StreamRow extends EventStream {
  session: SessionRow;
  index: number;
}

const OWN: Column<StreamRow>[] = [
  { id: "kind", title: "Kind", value: (row) => row.kind },
  { id: "peer", title: "From", isWide: true, value: (row) => row.peer, cell: (row) => <Text>{row.peer}</Text> },
  { id: "age", title: "Since", isNumber: true, value: (row) => row.ageSeconds, cell: (row) => duration(row.ageSeconds) },
  { id: "policy", title: "When slow", value: (row) => words(row.policy) },
  {
    id: "waiting",
    title: "Waiting",
    isNumber: true,
    value: (row) => row.waitingEvents,
    cell: (row) => count(row.waitingEvents),
  },
  { id: "bytes", title: "Size", isNumber: true, value: (row) => row.waitingBytes, cell: (row) => bytes(row.waitingBytes) },
  {
    id: "delivered",
    title: "Delivered",
    isNumber: true,
    value: (row) => row.deliveredEvents,
    cell: (row) => count(row.deliveredEvents),
  },
  {
    id: "dropped",
    title: "Dropped",
    isNumber: true,
    value: (row) => row.droppedEvents,
    cell: (row) => <span class={row.droppedEvents ? "warn-text" : ""}>{count(row.droppedEvents)}</span>,
  },
];

const ALL: Column<StreamRow>[] = [
  {
    id: "session",
    title: "Session",
    isName: true,
    value: (row) => row.session.name || row.session.sessionId,
    cell: (row) => (
      <a href={`/sessions/${row.session.sessionId}`}>
        <Text empty="unnamed">{row.session.name}</Text> <code class="dim">{shortId(row.session.sessionId)}</code>
      </a>
    ),
  },
  { id: "key", title: "Key", value: (row) => row.session.ownerKeyId, cell: (row) => <bdi>{row.session.ownerKeyId}</bdi> },
  ...OWN,
];

export function StreamTable({ rows, isAlone }: { rows: StreamRow[]; isAlone?: boolean }) {
  return (
    <Table
      caption="Event streams"
      name="t"
      rows={rows}
      columns={isAlone ? OWN : ALL}
      id={(row) => `${row.session.sessionId}#${row.index}`}
      sort="-waiting"
      empty={
        <Empty title="Nobody reads events">
          {isAlone
            ? "Its events wait for the first stream, or go by the session's policy."
            : "A stream begins when a client subscribes, for example with mxgw-py watch."}
        </Empty>
      }
    />
  );
}

export function Streams() {
  const now = frame.value;
  if (!now) return <Loading what="the streams" />;
  const rows = now.sessions.flatMap((session) =>
    session.eventStreams.map((stream, index) => ({ ...stream, session, index })),
  );
  const waiting = rows.reduce((sum, row) => sum + row.waitingEvents, 0);
  return (
    <>
      <p class="dim sum">
        {number(rows.length, "stream")} of events · {number(waiting, "event")} waiting · {number(now.liveStreams, "streaming call")} of
        all kinds
      </p>
      <StreamTable rows={rows} />
    </>
  );
}
