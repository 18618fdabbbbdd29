import { useState } from "preact/hooks";
import { post } from "../api.ts";
import { dateTime, words } from "../format.ts";
import { useLoaded } from "../load.ts";
import { type Result, told } from "../outcomes.ts";
import { Choice, Empty, Failure, Loading, State, Text, type Tone } from "../parts/basics.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { query, setQuery } from "../router.ts";
import { boot, frame, isStale, may, zone } from "../state.ts";
import { AlarmNumbers } from "./alarm_figures.tsx";

interface Alarm {
  alarmFullReference: string;
  alarmGuid?: string;
  alarmName?: string;
  groupName?: string;
  severity?: number;
  state?: string;
  description?: string;
  originalRaiseTimestamp?: string;
  lastTransitionTimestamp?: string;
  operatorUser?: string;
  operatorComment?: string;
  areaPath?: string[];
  shelved?: boolean;
  shelvedUntil?: string;
  shelveUser?: string;
  shelveReason?: string;
  uncertain?: boolean;
  degraded?: boolean;
}

interface Listed {
  status: { provider?: { state?: string; mode?: string; reason?: string } };
  alarms: Alarm[];
  isCut: boolean;
  problem: string;
}

interface Change extends Alarm {
  transitionKind?: string;
  transitionTimestamp?: string;
}

interface Page {
  changes?: { transition?: Change }[] | Change[];
  nextPageToken?: string;
}

const STATES: Record<string, [Tone, string]> = {
  ALARM_STATE_UNACK_ALM: ["bad", "active, not acknowledged"],
  ALARM_STATE_ACK_ALM: ["warn", "active, acknowledged"],
  ALARM_STATE_UNACK_RTN: ["warn", "returned, not acknowledged"],
  ALARM_STATE_ACK_RTN: ["good", "returned"],
  ALARM_STATE_LATCHED: ["idle", "latched"],
};

const at = (stamp?: string) => (stamp ? dateTime(Date.parse(stamp), zone.value) : "–");
const nameOf = (alarm: Alarm) => alarm.alarmName || alarm.alarmFullReference;

function stateOf(alarm: Alarm) {
  const [tone, text] = STATES[alarm.state ?? ""] ?? ["idle", words((alarm.state ?? "unknown").toLowerCase())];
  return (
    <State tone={alarm.uncertain ? "stale" : tone}>
      {text}
      {alarm.shelved && ", shelved"}
      {alarm.uncertain && ", last known"}
    </State>
  );
}

/** Who did it, and what he said of it. */
function byWhom(row: Change): string {
  const isShelving = row.transitionKind === "ALARM_TRANSITION_KIND_SHELVE";
  return (isShelving ? [row.shelveUser, row.shelveReason] : [row.operatorUser, row.operatorComment]).filter(Boolean).join(": ");
}

const COLUMNS: Column<Alarm>[] = [
  { id: "priority", title: "Priority", isNumber: true, value: (row) => row.severity ?? 0 },
  { id: "name", title: "Alarm", isName: true, value: nameOf, cell: (row) => <Text>{nameOf(row)}</Text> },
  { id: "state", title: "State", value: (row) => row.state ?? "", cell: stateOf },
  {
    id: "area",
    title: "Area",
    value: (row) => row.areaPath?.[0] ?? row.groupName ?? "",
    cell: (row) => <Text>{row.areaPath?.[0] ?? row.groupName}</Text>,
  },
  {
    id: "since",
    title: "Since",
    value: (row) => row.originalRaiseTimestamp ?? "",
    cell: (row) => <span class="nowrap">{at(row.originalRaiseTimestamp)}</span>,
  },
  { id: "text", title: "Text", isName: true, value: (row) => row.description ?? "", cell: (row) => <Text>{row.description}</Text> },
  {
    id: "operator",
    title: "Operator",
    isWide: true,
    value: (row) => row.operatorUser ?? "",
    cell: (row) => <Text>{[row.operatorUser, row.operatorComment].filter(Boolean).join(": ")}</Text>,
  },
];

function Acknowledge({ alarms, onClose, onDone }: { alarms: Alarm[]; onClose: () => void; onDone: () => void }) {
  const [first] = alarms;
  return (
    <Dialog
      title={alarms.length === 1 ? "Acknowledge this alarm?" : `Acknowledge ${alarms.length} alarms?`}
      action="Acknowledge"
      reason="optional"
      reasonLabel="Comment"
      onClose={onClose}
      onDo={async (comment) => {
        const reply = await post<{ results?: Result[] }>("/alarms/acknowledge", {
          comment,
          alarms: alarms.map((alarm) => ({ reference: alarm.alarmFullReference, guid: alarm.alarmGuid ?? "" })),
        });
        onDone();
        return told(reply.results ?? []);
      }}
    >
      <p>
        {alarms.length === 1 && first ? (
          <>
            <Text>{nameOf(first)}</Text>, priority {first.severity}, since {at(first.originalRaiseTimestamp)}.
          </>
        ) : (
          alarms.map(nameOf).slice(0, 12).join(", ") + (alarms.length > 12 ? " …" : "")
        )}
      </p>
      <p class="dim">The occurrences that you see are meant; one that comes up meanwhile stays unacknowledged. The plant is told.</p>
    </Dialog>
  );
}

const SPANS = [15, 60, 240, 480, 1440, 10080];

function Shelve({ alarms, onDone, onClose }: { alarms: Alarm[]; onDone: () => void; onClose: () => void }) {
  const isEnding = alarms.every((alarm) => alarm.shelved);
  // No more than the gateway allows: alarms.shelve.max_hours.
  const most = (boot.value?.features.shelveHours ?? 8) * 60;
  const spans = SPANS.some((each) => each <= most) ? SPANS.filter((each) => each <= most) : [Math.max(1, Math.floor(most))];
  const [minutes, setMinutes] = useState(String(spans.includes(60) ? 60 : spans[0]));
  return (
    <Dialog
      title={`${isEnding ? "End the shelving of" : "Shelve"} ${alarms.length === 1 ? "this alarm" : `${alarms.length} alarms`}`}
      action={isEnding ? "End it" : "Shelve"}
      {...(isEnding ? {} : { reason: "needed" as const })}
      onClose={onClose}
      onDo={async (reason) => {
        const reply = await post<{ results?: Result[] }>("/alarms/shelve", {
          reason,
          minutes: isEnding ? 0 : Number(minutes),
          alarms: alarms.map((alarm) => ({ reference: alarm.alarmFullReference, guid: alarm.alarmGuid ?? "" })),
        });
        onDone();
        return told(reply.results ?? [], isEnding ? "no longer shelved" : "shelved");
      }}
    >
      <p>{alarms.map(nameOf).slice(0, 12).join(", ") + (alarms.length > 12 ? " …" : "")}</p>
      {!isEnding && (
        <label>
          For
          <select value={minutes} onChange={(event) => setMinutes(event.currentTarget.value)}>
            {spans.map((each) => (
              <option key={each} value={each}>
                {each < 60 ? `${each} minutes` : `${each / 60} h`}
              </option>
            ))}
          </select>
        </label>
      )}
      <p class="dim">
        {alarms.length === 1
          ? isEnding
            ? "It counts and sounds again at once."
            : "It stays in the list, marked, and comes back by itself."
          : isEnding
            ? "They count and sound again at once."
            : "They stay in the list, marked, and come back by themselves."}{" "}
        The plant is told.
      </p>
    </Dialog>
  );
}

function Now() {
  const { value, problem, reload } = useLoaded<Listed>("/alarms", 2);
  const [selected, setSelected] = useState<Set<string>>(new Set());
  const [isAsking, setAsking] = useState(false);
  const [isShelving, setShelving] = useState(false);
  if (!value) return problem ? <Failure error={problem} /> : <Loading what="the alarms" />;
  const text = (query.value.get("q") ?? "").toLowerCase();
  const rows = value.alarms.filter(
    (alarm) =>
      !text ||
      `${alarm.alarmFullReference} ${alarm.description ?? ""} ${(alarm.areaPath ?? []).join(" ")}`.toLowerCase().includes(text),
  );
  const chosen = rows.filter((alarm) => selected.has(alarm.alarmFullReference));
  const mayAcknowledge = may("operator") && boot.value?.scopes.includes("invoke:write") && !boot.value.features.readOnly;
  const open = value.alarms.filter((alarm) => alarm.state === "ALARM_STATE_UNACK_ALM" || alarm.state === "ALARM_STATE_UNACK_RTN");
  return (
    <>
      {value.problem && <Failure error={{ message: value.problem }} />}
      <div class="controls">
        <label class="search">
          <span class="unseen">Filter by name, area or text</span>
          <input
            type="search"
            placeholder="Name, area or text"
            value={query.value.get("q") ?? ""}
            onInput={(event) => setQuery({ q: event.currentTarget.value })}
          />
        </label>
        <span class="dim">
          {rows.length} of {value.alarms.length}
          {value.isCut && " (the most urgent)"} alarms, {open.length} not acknowledged
        </span>
        <span class="grow" />
        {mayAcknowledge && chosen.length > 0 && (
          <button type="button" class="primary" aria-disabled={isStale.value} onClick={() => !isStale.value && setAsking(true)}>
            Acknowledge {chosen.length} selected
          </button>
        )}
        {mayAcknowledge && chosen.length > 0 && (
          <button type="button" aria-disabled={isStale.value} onClick={() => !isStale.value && setShelving(true)}>
            {chosen.every((alarm) => alarm.shelved) ? "End the shelving …" : "Shelve …"}
          </button>
        )}
      </div>
      <Table
        caption="Alarms"
        name="a"
        rows={rows}
        columns={COLUMNS}
        id={(row) => row.alarmFullReference}
        sort="priority"
        rowClass={(row) => (row.state === "ALARM_STATE_UNACK_ALM" ? "is-bad" : "")}
        {...(mayAcknowledge ? { selected, onSelect: setSelected } : {})}
        empty={
          value.alarms.length ? (
            <Empty title="No alarm fits the filter" />
          ) : (
            <Empty title="No alarm is active">What comes up in the areas that alarms.* names is listed here at once.</Empty>
          )
        }
      />
      {isShelving && (
        <Shelve
          alarms={chosen}
          onDone={reload}
          onClose={() => {
            setShelving(false);
            setSelected(new Set());
          }}
        />
      )}
      {isAsking && (
        <Acknowledge
          alarms={chosen}
          onDone={reload}
          onClose={() => {
            setAsking(false);
            setSelected(new Set());
          }}
        />
      )}
    </>
  );
}

function Course() {
  const [pages, setPages] = useState<string[]>([""]);
  const token = pages[pages.length - 1] ?? "";
  const { value, problem } = useLoaded<Page>(`/alarms/history${token ? `?page=${encodeURIComponent(token)}` : ""}`);
  if (problem) return <Failure error={problem} />;
  if (!value) return <Loading what="the history" />;
  const rows = (value.changes ?? []).map((each) => ("transition" in each && each.transition ? each.transition : (each as Change)));
  return (
    <>
      <Table
        caption="History of alarms"
        name="h"
        rows={rows.map((row, index) => ({ ...row, index }))}
        id={(row) => String(row.index)}
        columns={[
          {
            id: "at",
            title: "Time",
            value: (row) => row.index,
            cell: (row) => <span class="nowrap">{at(row.transitionTimestamp)}</span>,
          },
          {
            id: "kind",
            title: "What",
            value: (row) => row.transitionKind ?? "",
            cell: (row) => words((row.transitionKind ?? "").replace("ALARM_TRANSITION_KIND_", "").toLowerCase()),
          },
          { id: "priority", title: "Priority", isNumber: true, value: (row) => row.severity ?? 0 },
          { id: "name", title: "Alarm", isName: true, value: nameOf, cell: (row) => <Text>{nameOf(row)}</Text> },
          { id: "state", title: "State after it", value: (row) => row.state ?? "", cell: stateOf },
          {
            id: "operator",
            title: "Operator",
            value: byWhom,
            cell: (row) => <Text>{byWhom(row)}</Text>,
          },
        ]}
        empty={<Empty title="Nothing has happened yet">Each change of an alarm is kept here, with who acknowledged it.</Empty>}
      />
      <Pager
        hasNewer={pages.length > 1}
        hasOlder={!!value.nextPageToken}
        onNewer={() => setPages(pages.slice(0, -1))}
        onOlder={() => setPages([...pages, value.nextPageToken ?? ""])}
      />
    </>
  );
}

export function Pager(props: { hasNewer: boolean; hasOlder: boolean; onNewer: () => void; onOlder: () => void }) {
  if (!props.hasNewer && !props.hasOlder) return null;
  return (
    <div class="buttons pager">
      <button type="button" disabled={!props.hasNewer} onClick={props.onNewer}>
        Newer
      </button>
      <button type="button" disabled={!props.hasOlder} onClick={props.onOlder}>
        Older
      </button>
    </div>
  );
}

const PROVIDERS: Record<string, string> = { alarmmgr: "the alarm manager", subtag: "the alarms' attributes" };

const TABS = [
  ["now", "Now"],
  ["history", "History"],
  ["figures", "Figures"],
] as const;

export function Alarms() {
  const tab = (query.value.get("tab") ?? "now") as "now" | "history" | "figures";
  const monitor = frame.value?.alarms;
  if (boot.value && !boot.value.features.alarms)
    return (
      <Empty title="This gateway keeps no alarms">
        Set <code>alarms.enabled</code> and <code>alarms.default_area</code> in its configuration, and start it again.
      </Empty>
    );
  return (
    <>
      <div class="controls">
        <Choice label="View" options={TABS} value={tab} onChange={(next) => setQuery({ tab: next === "now" ? "" : next })} />
        {monitor && (
          <State tone={monitor.isUncertain ? "stale" : monitor.state === "live" ? "good" : "warn"}>
            monitor {words(monitor.state)}
            {monitor.provider !== "none" && <span class="dim">, told by {PROVIDERS[monitor.provider] ?? words(monitor.provider)}</span>}
            {monitor.isUncertain && ": the list is the last known"}
          </State>
        )}
      </div>
      {tab === "history" ? <Course /> : tab === "figures" ? <AlarmNumbers /> : <Now />}
    </>
  );
}
