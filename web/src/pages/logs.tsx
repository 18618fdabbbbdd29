import { useEffect, useRef, useState } from "preact/hooks";
import { get, post, Problem } from "../api.ts";
import { clockMs, plain } from "../format.ts";
import { Choice, Empty, Failure, Loading, State, type Tone } from "../parts/basics.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { query, setQuery } from "../router.ts";
import { isPaused, isStale, may, zone } from "../state.ts";

interface Line {
  n: number;
  level: string;
  event: string;
  at: string;
  logger: string;
  facts: Record<string, string>;
}

const MOST = 2000;
const RANKS = ["debug", "info", "warning", "error"];
const TONES: Record<string, Tone> = { warning: "warn", error: "bad", critical: "bad", info: "idle", debug: "idle" };
const LEVELS = [
  ["debug", "All"],
  ["info", "Info"],
  ["warning", "Warnings"],
  ["error", "Errors"],
] as const;

function Level({ onClose }: { onClose: () => void }) {
  const [level, setLevel] = useState("debug");
  const [minutes, setMinutes] = useState("15");
  return (
    <Dialog
      title="Change what the log has, for a while"
      action="Change"
      onClose={onClose}
      onDo={async () => {
        await post("/logs/level", { level, seconds: Number(minutes) * 60 });
        return `The log has ${level} and above for ${minutes} minutes.`;
      }}
    >
      <label>
        Least level
        <select value={level} onChange={(event) => setLevel(event.currentTarget.value)}>
          {RANKS.map((each) => (
            <option key={each} value={each}>
              {each}
            </option>
          ))}
        </select>
      </label>
      <label>
        For
        <select value={minutes} onChange={(event) => setMinutes(event.currentTarget.value)}>
          {["5", "15", "60", "240"].map((each) => (
            <option key={each} value={each}>
              {each} minutes
            </option>
          ))}
        </select>
      </label>
      <p class="dim">It holds for what the gateway writes everywhere, and falls back to the settings by itself. It is audited.</p>
    </Dialog>
  );
}

export function Logs() {
  const [lines, setLines] = useState<Line[] | null>(null);
  const [skipped, setSkipped] = useState(0);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isAsking, setAsking] = useState(false);
  const [isFollowing, setFollowing] = useState(true);
  const [seen, setSeen] = useState(0);
  const place = useRef<HTMLDivElement>(null);
  const newest = useRef(0);

  useEffect(() => {
    const ending = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async () => {
      try {
        if (!isPaused.peek() && !document.hidden) {
          const found = await get<{ records: Line[]; newest: number; skipped: number }>(
            `/logs?after=${newest.current}`,
            ending.signal,
          );
          // A gateway that was started again counts anew.
          if (found.newest < newest.current) setLines(found.records);
          else if (found.records.length || newest.current === 0)
            setLines((before) => [...(before ?? []), ...found.records].slice(-MOST));
          newest.current = found.newest;
          if (found.skipped) setSkipped((before) => before + found.skipped);
          setProblem(null);
        }
      } catch (error) {
        if (ending.signal.aborted) return;
        if (error instanceof Problem) setProblem(error);
      }
      timer = setTimeout(ask, 1000);
    };
    void ask();
    return () => {
      ending.abort();
      clearTimeout(timer);
    };
  }, []);

  const least = (query.value.get("level") ?? "debug") as (typeof LEVELS)[number][0];
  const text = (query.value.get("q") ?? "").toLowerCase();
  const shown = (lines ?? []).filter(
    (line) =>
      Math.max(0, RANKS.indexOf(line.level)) >= RANKS.indexOf(least) &&
      (!text || `${line.event} ${line.logger} ${Object.entries(line.facts).flat().join(" ")}`.toLowerCase().includes(text)),
  );
  const last = shown[shown.length - 1]?.n ?? 0;
  const unseen = isFollowing ? 0 : shown.filter((line) => line.n > seen).length;

  useEffect(() => {
    const element = place.current;
    if (element && isFollowing) element.scrollTop = element.scrollHeight;
  }, [last, isFollowing, shown.length]);

  const onScroll = () => {
    const element = place.current;
    if (!element) return;
    const isAtEnd = element.scrollHeight - element.scrollTop - element.clientHeight < 24;
    if (isAtEnd !== isFollowing) {
      setFollowing(isAtEnd);
      if (!isAtEnd) setSeen(last);
    }
  };

  return (
    <>
      <div class="controls">
        <label class="search">
          <span class="unseen">Filter by event, session, key or text</span>
          <input
            type="search"
            placeholder="Event, session, key or text"
            value={query.value.get("q") ?? ""}
            onInput={(event) => setQuery({ q: event.currentTarget.value })}
          />
        </label>
        <Choice label="Least level" options={LEVELS} value={least} onChange={(next) => setQuery({ level: next === "debug" ? "" : next })} />
        <span class="dim">
          {shown.length} of {lines?.length ?? 0} records{skipped > 0 && `, ${skipped} were too many to be shown`}
        </span>
        <span class="grow" />
        {may("admin") && (
          <button type="button" aria-disabled={isStale.value} onClick={() => !isStale.value && setAsking(true)}>
            Write more or less …
          </button>
        )}
        {!isFollowing && (
          <button type="button" onClick={() => setFollowing(true)}>
            Stopped here; {unseen} new below — go on
          </button>
        )}
      </div>
      {isAsking && <Level onClose={() => setAsking(false)} />}
      <Failure error={problem} />
      {!lines ? (
        !problem && <Loading what="the log" />
      ) : shown.length === 0 ? (
        <Empty title="No record fits">The log's last records are kept in memory; older ones are where the gateway writes its log.</Empty>
      ) : (
        <div class="log" role="region" aria-label="Log" tabIndex={0} ref={place} onScroll={onScroll}>
          {shown.map((line) => (
            <div key={line.n} class={`line ${TONES[line.level] ?? "idle"}`}>
              <time class="dim">{Number.isNaN(Date.parse(line.at)) ? line.at : clockMs(Date.parse(line.at), zone.value)}</time>
              <State tone={TONES[line.level] ?? "idle"}>{line.level}</State>
              <span>
                <b>{plain(line.event)}</b>
                {Object.entries(line.facts).map(([name, value]) => (
                  <span key={name} class="fact">
                    <span class="dim">{name}=</span>
                    {name === "session_id" ? <a href={`/sessions/${value}`}>{value.slice(-6)}</a> : <bdi>{plain(value)}</bdi>}
                  </span>
                ))}
              </span>
            </div>
          ))}
        </div>
      )}
    </>
  );
}
