// Small parts: states by shape, word and colour; figures; places that are empty.
import type { ComponentChildren } from "preact";
import { plain, words } from "../format.ts";

export type Tone = "good" | "warn" | "bad" | "idle" | "stale";

const SHAPES: Record<Tone, string> = {
  good: "M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11Z",
  warn: "M8 2 15 14H1Z",
  bad: "M2 2h12v12H2ZM5.2 5.2l5.6 5.6M10.8 5.2l-5.6 5.6",
  idle: "M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11Z",
  stale: "M8 1.8a6.2 6.2 0 1 1 0 12.4a6.2 6.2 0 0 1 0-12.4ZM8 4.5V8l2.4 1.8",
};

export function Shape({ tone }: { tone: Tone }) {
  return (
    <svg class={`shape ${tone}`} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={SHAPES[tone]} />
    </svg>
  );
}

export function State({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return (
    <span class={`state ${tone}`}>
      <Shape tone={tone} />
      <span>{children}</span>
    </span>
  );
}

const SESSION_TONES: Record<string, Tone> = { ready: "good", faulted: "bad", closing: "idle", closed: "idle" };

export function SessionState({ state, why }: { state: string; why?: string[] }) {
  const tone = SESSION_TONES[state] ?? "idle";
  return <State tone={tone === "good" && why?.length ? "warn" : tone}>{words(state)}</State>;
}

/** A text of a client or the plant: never markup, nothing hidden in it, and its own direction. */
export function Text({ children, empty = "–" }: { children: string | undefined; empty?: string }) {
  if (children) return <bdi>{plain(children)}</bdi>;
  return empty ? <span class="dim">{empty}</span> : null;
}

export function Figure({
  label,
  value,
  unit,
  note,
  tone,
}: {
  label: string;
  value: ComponentChildren;
  unit?: string;
  note?: ComponentChildren;
  tone?: Tone;
}) {
  return (
    <div class={`figure ${tone ?? ""}`}>
      <dt>{label}</dt>
      <dd>
        <span class="live value">{value}</span>
        {unit && <span class="unit"> {unit}</span>}
        {note && <span class="note">{note}</span>}
      </dd>
    </div>
  );
}

export function Figures({ children, by = 6 }: { children: ComponentChildren; by?: 5 | 6 }) {
  return <dl class={`figures by-${by}`}>{children}</dl>;
}

export function Section({
  title,
  children,
  aside,
  id,
}: {
  title: string;
  children: ComponentChildren;
  aside?: ComponentChildren;
  id?: string;
}) {
  const name = id ?? title.toLowerCase().replaceAll(" ", "-");
  return (
    <section aria-labelledby={name}>
      <header class="head">
        <h2 id={name}>{title}</h2>
        {aside && <div class="aside">{aside}</div>}
      </header>
      {children}
    </section>
  );
}

export function Empty({ children, title }: { children?: ComponentChildren; title: string }) {
  return (
    <div class="empty">
      <p class="title">{title}</p>
      {children && <p>{children}</p>}
    </div>
  );
}

export function Loading({ what }: { what: string }) {
  return <p class="loading">Loading {what} …</p>;
}

export function Failure({ error }: { error: { message: string; remedy?: string } | null }) {
  if (!error) return null;
  return (
    <div class="failure" role="alert">
      <State tone="bad">{error.message}</State>
      {error.remedy && <p>{error.remedy}</p>}
    </div>
  );
}

export function Choice<T extends string>({
  label,
  options,
  value,
  onChange,
}: {
  label: string;
  options: readonly (readonly [T, string])[];
  value: T;
  onChange: (value: T) => void;
}) {
  return (
    <div class="choice" role="group" aria-label={label}>
      {options.map(([each, text]) => (
        <button key={each} type="button" aria-pressed={each === value} onClick={() => onChange(each)}>
          {text}
        </button>
      ))}
    </div>
  );
}
