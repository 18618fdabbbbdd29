import { useState } from "preact/hooks";
import { bytes, count, dateTime, duration, milliseconds, percent, rate, words } from "../format.ts";
import { Choice, Empty, Figure, Figures, Loading, Section, Shape, State, Text, type Tone } from "../parts/basics.tsx";
import { type Span, useHistory } from "../parts/history.tsx";
import { Plot } from "../parts/plot.tsx";
import { frame, zone } from "../state.ts";
import type { Check, Frame } from "../types.ts";

const VERDICTS: Record<string, [Tone, string, string]> = {
  ready: ["good", "Ready", "New clients are welcome."],
  degraded: ["warn", "Degraded", "New clients are welcome, and something wants your attention."],
  not_ready: ["bad", "Not ready", "New clients are turned away until this is mended."],
};

const CHECKS: Record<string, string> = {
  store: "Key store",
  workers: "Workers start",
  galaxy: "Galaxy",
  loop: "Event loop",
  audit: "Audit",
  disk: "Disk",
  certificate: "Certificate",
  alarms: "Alarm monitor",
  stopping: "Takes new clients",
};

function Verdict({ now }: { now: Frame }) {
  const [tone, word, meaning] = VERDICTS[now.health.readiness] ?? ["idle", words(now.health.readiness), ""];
  const failing = now.health.checks.filter((check) => !check.isOk);
  return (
    <div class={`verdict ${tone}`}>
      <p class="word">
        <Shape tone={tone as Tone} />
        <strong>{word}</strong>
        <span class="dim">{meaning}</span>
      </p>
      {failing.map((check) => (
        <div key={check.name} class="cause">
          <p>
            <b>{CHECKS[check.name] ?? words(check.name)}</b> {check.reason}{" "}
            <span class="dim">for {duration(check.sinceSeconds)}</span>
          </p>
          <p class="remedy">{check.remedy}</p>
        </div>
      ))}
    </div>
  );
}

function daysLeft(now: Frame): number | null {
  return now.certificate ? Math.floor((Date.parse(now.certificate.notAfter) - now.at) / 86_400_000) : null;
}

function Now({ now }: { now: Frame }) {
  const days = daysLeft(now);
  // Those of watch lists take no place of a client's.
  const taken = now.sessions.filter((each) => !each.isApart).length;
  const share = taken / now.maxSessions;
  const galaxyTone = now.galaxy.status === "healthy" ? undefined : now.galaxy.status === "unavailable" ? "bad" : "warn";
  return (
    <Figures>
      <Figure label="Events in" value={rate(now.rates.eventsIn)} unit="/s" />
      <Figure label="Commands" value={rate(now.rates.commands)} unit="/s" />
      <Figure
        label="Dropped events"
        value={rate(now.rates.dropped)}
        unit="/s"
        tone={now.rates.dropped > 0 ? "warn" : undefined}
      />
      <Figure label="Waiting events" value={count(now.rates.waiting)} />
      <Figure
        label="Sessions"
        value={count(taken)}
        unit={`of ${now.maxSessions}`}
        tone={share > 0.9 ? "warn" : undefined}
      />
      <Figure
        label="Workers"
        value={count(now.workers.alive)}
        note={
          <>
            {now.workers.pooled} of {now.workers.poolSize} kept ready
            {now.workers.starting > 0 && <>, {now.workers.starting} starting</>}
          </>
        }
      />
      <Figure
        label="Loop delay"
        value={milliseconds(now.process.lag)}
        unit="ms"
        tone={(now.process.lag ?? 0) > 0.05 ? "warn" : undefined}
      />
      <Figure label="Gateway CPU" value={percent(now.process.cpu)} unit="% of a core" />
      <Figure label="Gateway memory" value={bytes(now.process.memory)} />
      <Figure
        label="Audit waiting"
        value={count(now.audit.waiting)}
        note={now.audit.lost ? <>{count(now.audit.lost)} lost</> : undefined}
        tone={now.audit.lost || now.audit.failures ? "bad" : undefined}
      />
      <Figure
        label="Galaxy"
        value={words(now.galaxy.status)}
        note={<>{count(now.galaxy.objects)} objects</>}
        tone={galaxyTone}
      />
      <Figure
        label="Certificate"
        value={days === null ? "none" : count(days)}
        unit={days === null ? undefined : "days left"}
        tone={days !== null && days < 30 ? "warn" : undefined}
      />
    </Figures>
  );
}

const SPANS = [
  ["5m", "5 min"],
  ["1h", "1 h"],
  ["24h", "24 h"],
] as const;

function Plots() {
  const [span, setSpan] = useState<Span>("5m");
  const { times, series, peaks } = useHistory(span);
  const line = (label: string, name: string, isStep = false) => [
    { label, values: series[name] ?? [], isStep },
    ...(peaks[name] ? [{ label: "peak", values: peaks[name] }] : []),
  ];
  return (
    <Section
      title="Trends"
      aside={<Choice label="Span of time" options={SPANS} value={span} onChange={setSpan} />}
    >
      {times.length === 0 && span !== "5m" ? (
        <Empty title="Nothing kept of this span yet">
          The gateway keeps whole minutes while it runs; the first comes within a minute.
        </Empty>
      ) : (
        <div class="plots">
          <Plot title="Events in" unit="/s" times={times} lines={line("events", "eventsIn")} show={rate} least={5} />
          <Plot title="Commands" unit="/s" times={times} lines={line("commands", "commands")} show={rate} least={5} />
          <Plot title="Dropped events" unit="/s" times={times} lines={line("dropped", "dropped")} show={rate} least={5} />
          <Plot
            title="Sessions"
            unit=""
            times={times}
            lines={[
              { label: "open", values: series.sessions ?? [], isStep: true },
              { label: "workers", values: series.workers ?? [], isStep: true },
            ]}
            show={count}
            least={4}
            isWhole
          />
          <Plot title="Loop delay" unit="ms" times={times} lines={line("delay", "loopLag")} show={milliseconds} least={0.02} />
          <Plot title="Gateway CPU" unit="% of a core" times={times} lines={line("cpu", "cpu")} show={percent} least={0.1} />
        </div>
      )}
    </Section>
  );
}

function Attention({ now }: { now: Frame }) {
  const rows = now.sessions.filter((session) => session.why.length);
  return (
    <Section
      title="Needs attention"
      aside={rows.length > 0 && <a href="/sessions?attention=1">All of them</a>}
    >
      {rows.length === 0 ? (
        <Empty title={now.sessions.length ? "No session needs attention" : "No session is open"}>
          {now.sessions.length
            ? "Sessions that fail, drop events, fall behind or go silent are listed here."
            : "A client opens one with the client library or mxgw-py; see the quick start."}
        </Empty>
      ) : (
        <ul class="lines">
          {rows.slice(0, 10).map((session) => (
            <li key={session.sessionId}>
              <Shape tone={session.fault ? "bad" : "warn"} />
              <a href={`/sessions/${session.sessionId}`}>
                <Text empty={session.sessionId}>{session.name}</Text>
              </a>
              <span class="dim">
                <bdi>{session.ownerKeyId}</bdi>
              </span>
              <span class="grow">{session.why.join("; ")}</span>
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}

function Faults({ now }: { now: Frame }) {
  const faults = [...(now.faults ?? [])].reverse();
  if (!faults.length) return null;
  return (
    <Section title="Last faults" aside={<a href="/sessions?tab=closed">Closed sessions</a>}>
      <ul class="lines">
        {faults.map((fault) => (
          <li key={`${fault.at}${fault.sessionId}`}>
            <Shape tone="bad" />
            <span class="dim nowrap">{dateTime(fault.at, zone.value)}</span>
            <a href={`/sessions/${fault.sessionId}`}>
              <Text empty={fault.sessionId.slice(-6)}>{fault.name}</Text>
            </a>
            <span class="grow">
              <code>{fault.reason}</code> <Text>{fault.text}</Text>
            </span>
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Checks({ checks }: { checks: Check[] }) {
  return (
    <Section title="Checks">
      <ul class="lines">
        {checks.map((check) => (
          <li key={check.name}>
            <State tone={check.isOk ? "good" : check.isNeeded ? "bad" : "warn"}>
              {CHECKS[check.name] ?? words(check.name)}
            </State>
            <span class="grow dim">
              {check.isOk ? "good" : check.reason} for {duration(check.sinceSeconds)}
            </span>
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Totals({ now }: { now: Frame }) {
  return (
    <Section title="Since the start">
      <dl class="pairs">
        <dt>Up</dt>
        <dd>{duration(now.uptime)}</dd>
        <dt>Sessions opened</dt>
        <dd>{count(now.totals.opened)}</dd>
        <dt>closed</dt>
        <dd>{count(now.totals.closed)}</dd>
        <dt>failed</dt>
        <dd>{count(now.totals.faulted)}</dd>
        <dt>ended by force</dt>
        <dd>{count(now.totals.killed)}</dd>
        <dt>Workers started</dt>
        <dd>{count(now.workers.started)}</dd>
        <dt>starts that failed</dt>
        <dd>{count(now.workers.failed)}</dd>
        <dt>Galaxy deployed</dt>
        <dd>{now.galaxy.deployTime ? now.galaxy.deployTime.slice(0, 19).replace("T", " ") : "–"}</dd>
        <dt>Certificate until</dt>
        <dd>{now.certificate ? dateTime(Date.parse(now.certificate.notAfter), zone.value) : "–"}</dd>
      </dl>
    </Section>
  );
}

export function Overview() {
  const now = frame.value;
  if (!now) return <Loading what="the first figures" />;
  return (
    <>
      <Verdict now={now} />
      <Now now={now} />
      <Plots />
      <Faults now={now} />
      <div class="columns">
        <Attention now={now} />
        <Checks checks={now.health.checks} />
        <Totals now={now} />
      </div>
    </>
  );
}
