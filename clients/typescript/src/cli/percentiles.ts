/** The figures of some samples. */

/** Milliseconds of a set of calls, rounded to microseconds; 0 without samples. */
export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
  readonly mean: number;
}

/** The percentile of ascending samples by linear interpolation; 0 without samples. */
export function percentile(ordered: readonly number[], share: number): number {
  const position = (ordered.length - 1) * share;
  const low = Math.floor(position);
  const [below = 0, above = below] = ordered.slice(low, low + 2);
  return ordered.length === 0 ? 0 : below + (above - below) * (position - low);
}

export function percentiles(samples: readonly number[]): Percentiles {
  const ordered = [...samples].sort((a, b) => a - b);
  const mean = ordered.length === 0 ? 0 : ordered.reduce((total, each) => total + each, 0) / ordered.length;
  const rounded = (value: number): number => Math.round(value * 1000) / 1000;
  return {
    p50: rounded(percentile(ordered, 0.5)),
    p95: rounded(percentile(ordered, 0.95)),
    p99: rounded(percentile(ordered, 0.99)),
    max: rounded(ordered.at(-1) ?? 0),
    mean: rounded(mean),
  };
}
