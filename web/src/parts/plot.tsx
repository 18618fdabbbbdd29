// Lines over time. uPlot is wrapped here and nowhere else.
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { clock, type Zone } from "../format.ts";
import { type Line, summary } from "../series.ts";
import { paint, zone } from "../state.ts";

interface Props {
  title: string;
  unit: string;
  /** Seconds since 1970. */
  times: number[];
  lines: Line[];
  show: (value: number | null) => string;
  height?: number;
  /** The axis begins here at least, so that noise around nothing is not drawn as mountains. */
  least?: number;
  /** The axis goes by the values alone, which may be anything. */
  isFree?: boolean;
  /** There are no halves of what is counted, and none on the axis. */
  isWhole?: boolean;
}

const DASHES: (number[] | undefined)[] = [undefined, [6, 3], [2, 3], [10, 3, 2, 3], [1, 2]];

/** Seconds between two times on the axis, which shows none that are shorter. */
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400];
const WHOLE_STEPS = Array.from({ length: 12 }, (_, power) => [1, 2, 5].map((each) => each * 10 ** power)).flat();

function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Without the zeros behind the point: an axis has round numbers. */
function short(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+( |$)/, "$1") : text;
}

function options(props: Props, width: number, height: number, where: Zone): uPlot.Options {
  const text = token("--dim");
  const grid = { stroke: token("--line"), width: 1 };
  const font = `11px ${token("--font") || "sans-serif"}`;
  return {
    width,
    height,
    pxAlign: 1,
    cursor: { y: false, drag: { setScale: false, x: false, y: false }, points: { size: 6 } },
    legend: { show: false },
    padding: [8, 4, 0, 0],
    scales: {
      x: { time: true },
      y: props.isFree
        ? {}
        : { range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(props.least ?? 1, (high ?? 1) * 1.1)] },
    },
    axes: [
      {
        stroke: text,
        font,
        size: 24,
        gap: 4,
        space: 70,
        incrs: TIME_STEPS,
        grid: { show: false },
        ticks: { ...grid, size: 4 },
        values: (_, splits) => {
          const long = splits.length > 1 && (splits[1] as number) - (splits[0] as number) >= 60;
          return splits.map((split) => clock(split * 1000, where).slice(0, long ? 5 : 8));
        },
      },
      {
        stroke: text,
        font,
        size: 44,
        gap: 4,
        space: 28,
        ...(props.isWhole ? { incrs: WHOLE_STEPS } : {}),
        grid,
        ticks: { show: false },
        values: (_, splits) => splits.map((split) => short(props.show(split))),
      },
    ],
    series: [
      {},
      ...props.lines.map((line, index) => ({
        label: line.label,
        stroke: token(`--series-${(index % 5) + 1}`),
        width: 1.5,
        dash: DASHES[index % DASHES.length],
        points: { show: false },
        spanGaps: false,
        ...(line.isStep && uPlot.paths.stepped ? { paths: uPlot.paths.stepped({ align: 1 }) } : {}),
      })),
    ],
  } as uPlot.Options;
}

export function Plot(props: Props) {
  const { title, unit, times, lines, show } = props;
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [isTable, setTable] = useState(false);
  const [at, setAt] = useState<number | null>(null);
  const where = zone.value;
  const colours = paint.value;
  const labels = lines.map((line) => line.label).join("|");
  const height = props.height ?? 132;

  useEffect(() => {
    const element = place.current;
    if (!element || isTable) return;
    const made = new uPlot(
      options(props, Math.max(120, element.clientWidth), height, where),
      [times, ...lines.map((line) => line.values)] as uPlot.AlignedData,
      element,
    );
    made.over.addEventListener("pointermove", () => setAt(made.cursor.idx ?? null));
    made.over.addEventListener("pointerleave", () => setAt(null));
    plot.current = made;
    const watch = new ResizeObserver(() => made.setSize({ width: Math.max(120, element.clientWidth), height }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [isTable, labels, where, colours, height]);

  useEffect(() => {
    plot.current?.setData([times, ...lines.map((line) => line.values)] as uPlot.AlignedData);
  });

  const index = at ?? times.length - 1;
  return (
    <figure class="plot">
      <figcaption>
        <span class="title">
          {title}
          {unit && <span class="unit"> {unit}</span>}
        </span>
        <span class="keys">
          {lines.map((line, number) => (
            <span key={line.label} class="key">
              {lines.length > 1 && (
                <>
                  <svg class={`swatch series-${(number % 5) + 1}`} viewBox="0 0 18 4" aria-hidden="true">
                    <path d="M0 2h18" stroke-dasharray={(DASHES[number % 5] ?? []).join(" ")} />
                  </svg>
                  {line.label}{" "}
                </>
              )}
              <b class="live">{show(line.values[index] ?? null)}</b>
            </span>
          ))}
          {at !== null && times[index] !== undefined && <span class="dim">at {clock(times[index] * 1000, where)}</span>}
        </span>
        <button type="button" class="quiet" aria-pressed={isTable} onClick={() => setTable(!isTable)}>
          {isTable ? "Plot" : "Table"}
          <span class="unseen"> of {title}</span>
        </button>
      </figcaption>
      {isTable ? (
        <div class="scroller short" role="region" aria-label={`${title}, table`} tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">Time</th>
                {lines.map((line) => (
                  <th key={line.label} scope="col" class="number">
                    {line.label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {times
                .map((time, row) => [time, row] as const)
                .slice(-60)
                .reverse()
                .map(([time, row]) => (
                  <tr key={time}>
                    <td>{clock(time * 1000, where)}</td>
                    {lines.map((line) => (
                      <td key={line.label} class="number">
                        {show(line.values[row] ?? null)}
                      </td>
                    ))}
                  </tr>
                ))}
            </tbody>
          </table>
        </div>
      ) : (
        <div class="drawing" role="img" aria-label={summary(title, unit, lines, show)} ref={place} />
      )}
    </figure>
  );
}
