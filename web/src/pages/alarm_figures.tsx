// How much the alarms ask of the operators, by position: the figures of EEMUA 191 and ISA-18.2, with what they call good.
import { Fragment } from "preact";
import { useState } from "preact/hooks";
import { count, dateTime, duration, percent, rate } from "../format.ts";
import { useLoaded } from "../load.ts";
import { Choice, Empty, Failure, Figure, Figures, Loading, Section, State, Text } from "../parts/basics.tsx";
import { zone } from "../state.ts";

interface Counted {
  alarmFullReference: string;
  count?: string;
  share?: number;
}

interface Durations {
  median?: string;
  ninetyPercent?: string;
  longest?: string;
  count?: string;
}

interface AlarmFigures {
  position?: string;
  annunciated?: string;
  averageRate?: number;
  peakRate?: number;
  shareAboveTen?: number;
  floodTime?: string;
  floods?: { began?: string; ended?: string; count?: number }[];
  mostFrequent?: Counted[];
  chattering?: Counted[];
  fleeting?: Counted[];
  standing?: string;
  stale?: string[];
  priorities?: { priorityMin?: number; priorityMax?: number; count?: string; share?: number }[];
  timeToAcknowledge?: Durations;
  timeToReturn?: Durations;
  unacknowledged?: string;
  oldestUnacknowledged?: string;
  shelved?: string;
  silenced?: string;
}

interface Told {
  observed?: string;
  degraded?: string;
  lost?: string;
  figures?: AlarmFigures[];
}

const HOURS = { "8": 8, "24": 24, "168": 168 } as const;
type Hours = keyof typeof HOURS;
const SPANS = [
  ["8", "8 h"],
  ["24", "24 h"],
  ["168", "7 days"],
] as const;

/** What a Duration is as JSON: `12.5s`. */
const seconds = (text?: string) => (text ? Number.parseFloat(text) : 0);
const whole = (text?: string) => Number(text ?? 0);

function Worst({ title, rows, what }: { title: string; rows: Counted[] | undefined; what: string }) {
  if (!rows?.length) return null;
  return (
    <Section title={title}>
      <p class="dim sum">{what}</p>
      <ul class="lines ranked">
        {rows.map((row) => (
          <li key={row.alarmFullReference}>
            <span class="number">{count(whole(row.count))}×</span>
            <span class="number dim">{row.share === undefined ? "" : `${percent(row.share)} %`}</span>
            <Text>{row.alarmFullReference}</Text>
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Spread({ title, told }: { title: string; told: Durations | undefined }) {
  if (!whole(told?.count)) return null;
  return (
    <>
      <dt>{title}</dt>
      <dd>
        {duration(seconds(told?.median))} in the middle, {duration(seconds(told?.ninetyPercent))} at 90 %,{" "}
        {duration(seconds(told?.longest))} at most <span class="dim">({count(whole(told?.count))})</span>
      </dd>
    </>
  );
}

function Position({ found }: { found: AlarmFigures }) {
  const floods = found.floods ?? [];
  const average = found.averageRate ?? 0;
  return (
    <>
      <Figures>
        <Figure label="Alarms" value={count(whole(found.annunciated))} />
        <Figure
          label="On average"
          value={rate(average)}
          unit="in 10 min"
          tone={average > 2 ? "bad" : average > 1 ? "warn" : undefined}
          note="1 is good, 2 is manageable"
        />
        <Figure label="At most" value={count(found.peakRate ?? 0)} unit="in 10 min" tone={(found.peakRate ?? 0) > 10 ? "warn" : undefined} note="10 is the limit" />
        <Figure
          label="In flood"
          value={duration(seconds(found.floodTime))}
          tone={floods.length ? "warn" : undefined}
          note={floods.length ? `${count(floods.length)} ${floods.length === 1 ? "flood" : "floods"}` : "no flood"}
        />
        <Figure
          label="Not acknowledged"
          value={count(whole(found.unacknowledged))}
          note={whole(found.unacknowledged) ? `the oldest for ${duration(seconds(found.oldestUnacknowledged))}` : undefined}
        />
        <Figure
          label="Standing"
          value={count(whole(found.standing))}
          note={`${count(found.stale?.length ?? 0)} for more than 24 h`}
          tone={found.stale?.length ? "warn" : undefined}
        />
      </Figures>
      <div class="columns">
        <Worst title="Most frequent" rows={found.mostFrequent} what="Ten alarms often make most of the load." />
        <Worst title="Chattering" rows={found.chattering} what="Come and go again and again: dead band or delay." />
        <Worst title="Fleeting" rows={found.fleeting} what="Gone before anybody can act on them." />
        {!!found.stale?.length && (
          <Section title="Standing for more than 24 h">
            <ul class="lines">
              {found.stale.map((each) => (
                <li key={each}>
                  <Text>{each}</Text>
                </li>
              ))}
            </ul>
          </Section>
        )}
        {floods.length > 0 && (
          <Section title="Floods">
            <ul class="lines">
              {floods.map((flood) => (
                <li key={flood.began}>
                  <span class="nowrap">{dateTime(Date.parse(flood.began ?? ""), zone.value)}</span>
                  <span class="grow dim">
                    {flood.ended ? `until ${dateTime(Date.parse(flood.ended), zone.value)}` : "goes on"}
                  </span>
                  <span>{count(flood.count ?? 0)} alarms</span>
                </li>
              ))}
            </ul>
          </Section>
        )}
        <Section title="Priorities and times">
          <dl class="pairs">
            {(found.priorities ?? []).map((band) => (
              <Fragment key={band.priorityMax}>
                <dt>
                  Priority {band.priorityMin ?? 0} to {band.priorityMax}
                </dt>
                <dd>
                  {count(whole(band.count))} <span class="dim">{percent(band.share ?? 0)} %</span>
                </dd>
              </Fragment>
            ))}
            <Spread title="Until acknowledged" told={found.timeToAcknowledge} />
            <Spread title="Until returned" told={found.timeToReturn} />
            <dt>Shelved</dt>
            <dd>{count(whole(found.shelved))}</dd>
            <dt>Silenced</dt>
            <dd>{count(whole(found.silenced))}</dd>
          </dl>
        </Section>
      </div>
    </>
  );
}

export function AlarmNumbers() {
  const [hours, setHours] = useState<Hours>("24");
  const [wanted, setWanted] = useState("");
  const { value, problem } = useLoaded<Told>(`/alarms/figures?hours=${HOURS[hours]}`, 30);
  const figures = value?.figures ?? [];
  const found = figures.find((each) => (each.position ?? "") === wanted) ?? figures[0];
  const share = seconds(value?.observed) / (3600 * HOURS[hours]);
  return (
    <>
      <div class="controls">
        <Choice label="Span of time" options={SPANS} value={hours} onChange={setHours} />
        {figures.length > 1 && (
          <label class="inline">
            Position
            <select value={found?.position ?? ""} onChange={(event) => setWanted(event.currentTarget.value)}>
              {figures.map((each) => (
                <option key={each.position} value={each.position ?? ""}>
                  {each.position || "all"}
                </option>
              ))}
            </select>
          </label>
        )}
        {value && share < 0.99 && (
          <State tone="warn">
            seen for {duration(seconds(value.observed))} of {HOURS[hours]} h only
          </State>
        )}
        {value && whole(value.lost) > 0 && <State tone="bad">{count(whole(value.lost))} changes were lost</State>}
      </div>
      {problem ? (
        <Failure error={problem} />
      ) : !value ? (
        <Loading what="the figures" />
      ) : found ? (
        <Position found={found} />
      ) : (
        <Empty title="No figures yet">They come with the first alarms.</Empty>
      )}
    </>
  );
}
