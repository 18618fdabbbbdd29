// Tags that somebody watches: the newest of each, and the last five minutes of those that are numbers.
import { useEffect, useRef, useState } from "preact/hooks";
import { get, post, Problem } from "../api.ts";
import { saveCsv } from "../csv.ts";
import { count, dateTime, duration } from "../format.ts";
import { Failure, Loading, Section, State, Text, type Tone } from "../parts/basics.tsx";
import { Plot } from "../parts/plot.tsx";
import { announce, isPaused, isStale, now, serverOffset, store, stored, zone } from "../state.ts";
import type { Values } from "../types.ts";

interface Watched {
  tag: string;
  error: string;
  value: string | null;
  number: number | null;
  type: string;
  quality: number;
  qualityWord: string;
  sourceMs: number | null;
  changes: number;
  low: number | null;
  high: number | null;
}

interface Trend {
  times: number[];
  value: Values;
  low: Values;
  high: Values;
}

const MOST = 300;
const PLOTS = 4;

export function storedTags(): string[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem("mxgw.watch") ?? "[]");
    return Array.isArray(found) ? found.filter((each): each is string => typeof each === "string").slice(0, 50) : [];
  } catch {
    return [];
  }
}

type Lists = Record<string, string[]>;

function storedLists(): Lists {
  try {
    const found: unknown = JSON.parse(stored("mxgw.watch-lists", "{}"));
    if (typeof found !== "object" || found === null || Array.isArray(found)) return {};
    return Object.fromEntries(
      Object.entries(found).flatMap(([name, tags]) =>
        Array.isArray(tags) ? [[name, tags.filter((each): each is string => typeof each === "string").slice(0, 50)]] : [],
      ),
    );
  } catch {
    return {};
  }
}

/** Lists that are kept in this browser by name. */
export function SavedLists({ tags, onChange }: { tags: string[]; onChange: (tags: string[]) => void }) {
  const [lists, setLists] = useState<Lists>(storedLists);
  const [name, setName] = useState("");
  const [chosen, setChosen] = useState("");
  const keep = (next: Lists) => {
    setLists(next);
    store("mxgw.watch-lists", JSON.stringify(next));
  };
  const names = Object.keys(lists).sort((one, other) => one.localeCompare(other));
  if (!names.length && !tags.length) return null;
  return (
    <form
      class="controls"
      onSubmit={(event) => {
        event.preventDefault();
        const wanted = name.trim().slice(0, 60);
        if (!wanted || !tags.length) return;
        keep({ ...lists, [wanted]: tags });
        setChosen(wanted);
        setName("");
        announce(`The list ${wanted} is kept in this browser.`);
      }}
    >
      {names.length > 0 && (
        <label class="inline">
          Watch list
          <select
            value={chosen}
            onChange={(event) => {
              const next = event.currentTarget.value;
              setChosen(next);
              const found = lists[next];
              if (found) onChange(found);
            }}
          >
            <option value="">choose …</option>
            {names.map((each) => (
              <option key={each} value={each}>
                {each}
              </option>
            ))}
          </select>
        </label>
      )}
      {chosen && (
        <button
          type="button"
          class="quiet"
          onClick={() => {
            keep(Object.fromEntries(Object.entries(lists).filter(([each]) => each !== chosen)));
            setChosen("");
          }}
        >
          Forget<span class="unseen"> the list {chosen}</span>
        </button>
      )}
      {tags.length > 0 && (
        <>
          <label>
            <span class="unseen">Name for this list</span>
            <input placeholder="Name for this list" maxLength={60} value={name} onInput={(event) => setName(event.currentTarget.value)} />
          </label>
          <button type="submit" disabled={!name.trim()}>
            Keep
          </button>
        </>
      )}
    </form>
  );
}

function Quality({ row }: { row: Watched }) {
  if (row.error) return <State tone="stale">not live: {row.error}</State>;
  if (row.value === null) return <State tone="idle">waiting</State>;
  const tone: Tone = row.quality >= 192 ? "good" : row.quality >= 64 ? "warn" : row.quality === 32 ? "idle" : "bad";
  return (
    <State tone={tone}>
      {row.qualityWord} <code class="dim">0x{row.quality.toString(16).toUpperCase().padStart(2, "0")}</code>
    </State>
  );
}

/** The values of now, as digits: what a spreadsheet makes of them is its own affair. Times in UTC, whatever is shown. */
function save(rows: Watched[]): void {
  saveCsv("watch-list.csv", [
    ["tag", "value", "quality", "quality word", "type", "time at the source (UTC)", "changes", "problem"],
    ...rows.map((row) => [
      row.tag,
      row.value ?? "",
      row.quality,
      row.qualityWord,
      row.type,
      row.sourceMs ? new Date(row.sourceMs).toISOString() : "",
      row.changes,
      row.error,
    ]),
  ]);
}

const digits = (value: number | null) => (value === null ? "–" : String(Number(value.toPrecision(6))));

export function WatchList({ tags, onChange }: { tags: string[]; onChange: (tags: string[]) => void }) {
  const [rows, setRows] = useState<Watched[] | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const trends = useRef(new Map<string, Trend>());
  const wanted = tags.join("\n");

  useEffect(() => {
    const ending = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let round = 0;
    const take = (found: Watched[]) => {
      // By the gateway's clock, as all times are: that of the browser may be wrong by a day.
      const at = (Date.now() + serverOffset.peek()) / 1000;
      for (const row of found) {
        const before = trends.current.get(row.tag) ?? { times: [], value: [], low: [], high: [] };
        // A bad value is drawn as a gap.
        const isGood = !row.error && row.quality >= 64;
        trends.current.set(row.tag, {
          times: [...before.times, at].slice(-MOST),
          value: [...before.value, isGood ? row.number : null].slice(-MOST),
          low: [...before.low, isGood ? row.low : null].slice(-MOST),
          high: [...before.high, isGood ? row.high : null].slice(-MOST),
        });
      }
      setRows(found);
    };
    const ask = async () => {
      try {
        if (!isPaused.peek() && !document.hidden) {
          // Asked for as a whole at first and every few seconds: a list whose session has ended begins anew.
          const found =
            round % 5 === 0
              ? await post<{ tags: Watched[] }>("/galaxy/watch", { tags: wanted.split("\n") })
              : await get<{ tags: Watched[] }>("/galaxy/watch", ending.signal);
          if (ending.signal.aborted) return;
          take(found.tags);
          setProblem(null);
          round += 1;
        }
      } catch (error) {
        if (ending.signal.aborted) return;
        round = 0;
        if (error instanceof Problem) setProblem(error);
      }
      timer = setTimeout(ask, 1000);
    };
    void ask();
    return () => {
      ending.abort();
      clearTimeout(timer);
    };
  }, [wanted]);

  const plotted = (rows ?? []).filter((row) => trends.current.get(row.tag)?.value.some((value) => value !== null)).slice(0, PLOTS);
  return (
    <Section
      title="Watch list"
      aside={
        <>
          {rows && (
            <button type="button" class="quiet" onClick={() => save(rows)}>
              Save as CSV
            </button>
          )}
          <button type="button" class="quiet" onClick={() => onChange([])}>
            Clear
          </button>
        </>
      }
    >
      <Failure error={problem} />
      {!rows ? (
        !problem && <Loading what="the values" />
      ) : (
        <div class={`scroller ${problem || isStale.value ? "is-stale" : ""}`} role="region" aria-label="Watched tags" tabIndex={0}>
          <table class="stacked" role="table">
            <thead class="heads" role="rowgroup">
              <tr role="row">
                <th scope="col" role="columnheader">Tag</th>
                <th scope="col" role="columnheader" class="number">
                  Value
                </th>
                <th scope="col" role="columnheader">Quality</th>
                <th scope="col" role="columnheader">Type</th>
                <th scope="col" role="columnheader">Time at the source</th>
                <th scope="col" role="columnheader" class="number">
                  Age
                </th>
                <th scope="col" role="columnheader" class="number">
                  Changes
                </th>
                <th scope="col" role="columnheader">
                  <span class="unseen">Remove</span>
                </th>
              </tr>
            </thead>
            <tbody role="rowgroup">
              {rows.map((row) => (
                <tr role="row" key={row.tag}>
                  <td role="cell" class="name">
                    <bdi>{row.tag}</bdi>
                  </td>
                  <td role="cell" class="number live" data-label="Value">
                    <Text>{row.value ?? undefined}</Text>
                  </td>
                  <td role="cell">
                    <Quality row={row} />
                  </td>
                  <td role="cell" class="dim">{row.type}</td>
                  <td role="cell" class="nowrap">{row.sourceMs ? dateTime(row.sourceMs, zone.value) : "–"}</td>
                  <td role="cell" class="number" data-label="Age">{row.sourceMs ? duration((now.value + serverOffset.value - row.sourceMs) / 1000) : "–"}</td>
                  <td role="cell" class="number" data-label="Changes">{count(row.changes)}</td>
                  <td role="cell">
                    <button type="button" class="quiet" onClick={() => onChange(tags.filter((tag) => tag !== row.tag))}>
                      Remove<span class="unseen"> {row.tag}</span>
                    </button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {plotted.length > 0 && (
        <div class="plots two">
          {plotted.map((row) => {
            const trend = trends.current.get(row.tag);
            if (!trend) return null;
            const hasBand = trend.low.some((low, index) => low !== trend.high[index]);
            return (
              <Plot
                key={row.tag}
                title={row.tag}
                unit=""
                times={trend.times}
                lines={[
                  { label: "value", values: trend.value, isStep: true },
                  ...(hasBand ? [{ label: "highest", values: trend.high, isStep: true }, { label: "lowest", values: trend.low, isStep: true }] : []),
                ]}
                show={digits}
                isFree
              />
            );
          })}
        </div>
      )}
    </Section>
  );
}
