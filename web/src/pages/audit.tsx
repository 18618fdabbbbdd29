import { useState } from "preact/hooks";
import { dateTime } from "../format.ts";
import { useLoaded } from "../load.ts";
import { Empty, Failure, Loading, Text } from "../parts/basics.tsx";
import { query, setQuery } from "../router.ts";
import { zone } from "../state.ts";
import { Pager } from "./alarms.tsx";

interface Entry {
  id: number;
  at: number;
  event: string;
  key: string;
  actor: string;
  origin: string;
  address: string;
  session: string;
  correlation: string;
  target: string;
  outcome: string;
  details: Record<string, unknown>;
}

const FILTERS = [
  ["event", "Event"],
  ["key", "Key"],
  ["tag", "Tag or target"],
  ["session", "Session"],
  ["outcome", "Outcome"],
] as const;

export function detailText(details: Record<string, unknown>): string {
  return Object.entries(details)
    .map(([name, value]) => `${name}: ${Array.isArray(value) ? value.join(", ") : typeof value === "object" ? JSON.stringify(value) : String(value)}`)
    .join("; ");
}

export function Audit() {
  const [before, setBefore] = useState<number[]>([]);
  const wanted = new URLSearchParams();
  for (const [name] of FILTERS) if (query.value.get(name)) wanted.set(name, query.value.get(name) ?? "");
  const exported = wanted.toString();
  const last = before[before.length - 1];
  if (last) wanted.set("before", String(last));
  const text = wanted.toString();
  const { value, problem } = useLoaded<{ records: Entry[]; next: number | null }>(`/audit${text ? `?${text}` : ""}`, last ? 0 : 10);
  return (
    <>
      <form class="controls" onSubmit={(event) => event.preventDefault()}>
        {FILTERS.map(([name, title]) => (
          <label key={name}>
            <span class="dim small">{title}</span>
            <input
              class="short"
              value={query.value.get(name) ?? ""}
              onChange={(event) => {
                setBefore([]);
                setQuery({ [name]: event.currentTarget.value.trim() });
              }}
            />
          </label>
        ))}
        <span class="grow" />
        <a class="button" href={`/api/v1/audit.csv${exported ? `?${exported}` : ""}`} download="audit.csv">
          Save as CSV
        </a>
      </form>
      <Failure error={problem} />
      {!value ? (
        !problem && <Loading what="the audit" />
      ) : value.records.length === 0 ? (
        <Empty title="No record fits">Clear the filters to see all; * and ? stand for any text in a tag.</Empty>
      ) : (
        <div class="scroller" role="region" aria-label="Audit records" tabIndex={0}>
          <table class="stacked" role="table">
            <thead class="heads" role="rowgroup">
              <tr role="row">
                <th scope="col" role="columnheader">Time</th>
                <th scope="col" role="columnheader">Event</th>
                <th scope="col" role="columnheader">By</th>
                <th scope="col" role="columnheader">From</th>
                <th scope="col" role="columnheader">Target</th>
                <th scope="col" role="columnheader">Outcome</th>
                <th scope="col" role="columnheader">Details</th>
              </tr>
            </thead>
            <tbody role="rowgroup">
              {value.records.map((each) => (
                <tr role="row" key={each.id}>
                  <td role="cell" class="nowrap">{dateTime(each.at, zone.value)}</td>
                  <td role="cell" class="nowrap">{each.event}</td>
                  <td role="cell" class="nowrap">
                    <Text>{each.actor}</Text> {each.origin && <span class="dim small">{each.origin}</span>}
                  </td>
                  <td role="cell" class="nowrap">
                    <Text empty="">{each.address}</Text>
                  </td>
                  <td role="cell" class="target">
                    {each.session ? (
                      <a href={`/sessions/${each.session}`}>{each.session.slice(-6)}</a>
                    ) : (
                      <Text empty="">{each.target || (each.key && each.actor !== `key:${each.key}` ? `key ${each.key}` : "")}</Text>
                    )}
                  </td>
                  <td role="cell">
                    <Text>{each.outcome}</Text>
                  </td>
                  <td role="cell" class="dim wrap">
                    <Text empty="">{detailText(each.details)}</Text>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <Pager
        hasNewer={before.length > 0}
        hasOlder={!!value?.next}
        onNewer={() => setBefore(before.slice(0, -1))}
        onOlder={() => setBefore([...before, value?.next ?? 0])}
      />
    </>
  );
}
