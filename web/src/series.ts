// Figures over time, without a browser.
import type { Values } from "./types.ts";

export interface Told {
  step: number;
  series: Record<string, Values | { mean: Values; peak: Values }>;
}

export interface History {
  times: number[];
  series: Record<string, Values>;
  peaks: Record<string, Values>;
}

export function read(told: Told, at: number): History {
  const names = Object.keys(told.series);
  const series: Record<string, Values> = {};
  const peaks: Record<string, Values> = {};
  let length = 0;
  for (const name of names) {
    const values = told.series[name];
    if (Array.isArray(values)) series[name] = values;
    else if (values) {
      series[name] = values.mean;
      peaks[name] = values.peak;
    }
    length = Math.max(length, series[name]?.length ?? 0);
  }
  const end = at / 1000;
  return { times: Array.from({ length }, (_, index) => end - (length - 1 - index) * told.step), series, peaks };
}

export function appended(before: History, at: number, sample: Record<string, number | null>, most: number): History {
  const last = before.times[before.times.length - 1] ?? 0;
  const time = at / 1000;
  if (time <= last) return before;
  // What was not seen is a gap and no line.
  const isGap = last > 0 && time - last > 3;
  const times = [...before.times, ...(isGap ? [time - 1] : []), time].slice(-most);
  const series: Record<string, Values> = {};
  for (const name of Object.keys(sample)) {
    const known = before.series[name] ?? before.times.map(() => null);
    series[name] = [...known, ...(isGap ? [null] : []), sample[name] ?? null].slice(-most);
  }
  return { times, series, peaks: before.peaks };
}

export interface Line {
  label: string;
  values: Values;
  isStep?: boolean;
}

export function summary(title: string, unit: string, lines: Line[], show: (value: number | null) => string): string {
  const told = lines.map(({ label, values }) => {
    const known = values.filter((value): value is number => value !== null);
    if (!known.length) return `${label}: nothing yet`;
    const first = known[0] as number;
    const last = known[known.length - 1] as number;
    const spread = Math.max(...known) - Math.min(...known);
    const trend = Math.abs(last - first) <= spread * 0.1 ? "steady" : last > first ? "rising" : "falling";
    return `${label}: now ${show(last)}, lowest ${show(Math.min(...known))}, highest ${show(Math.max(...known))}, ${trend}`;
  });
  return `${title}${unit ? ` in ${unit}` : ""}. ${told.join("; ")}.`;
}
