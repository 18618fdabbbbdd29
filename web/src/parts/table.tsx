// Tables that stand still: figures change in place, and rows keep their order while somebody points at them.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { count } from "../format.ts";
import { query, setQuery } from "../router.ts";
import { type Column, drawable, sorted } from "../sorting.ts";
import { Empty } from "./basics.tsx";

export type { Column };

/** Rows at once: a browser takes its time for each, and nobody reads them all. */
const ROWS = 200;

/** New rows of one picture of the screen: more than fit on it, and few enough that whoever sorts does not wait. */
const FRESH_ROWS = 40;

interface Props<T> {
  caption: string;
  name: string;
  rows: T[];
  columns: Column<T>[];
  id: (row: T) => string;
  sort?: string;
  empty: ComponentChildren;
  rowClass?: (row: T) => string;
  selected?: Set<string>;
  onSelect?: (selected: Set<string>) => void;
}

/** On a phone a row is a block and its head is far away: figures say there what they are. */
function labelOf<T>(column: Column<T>): string | undefined {
  return column.isNumber ? [column.title, column.unit].filter(Boolean).join(" ") : undefined;
}

function classOf<T>(column: Column<T>, live: string): string {
  return [column.isNumber ? `number ${live}` : "", column.isWide ? "wide" : "", column.isName && live ? "name" : ""]
    .filter(Boolean)
    .join(" ");
}

export function Table<T>(props: Props<T>) {
  const { caption, name, rows, columns, id } = props;
  const wanted = query.value.get(`${name}.sort`) ?? props.sort ?? "";
  const isDown = wanted.startsWith("-");
  const sortedBy = wanted.replace(/^-/, "");
  const [isHeld, setHeld] = useState(false);
  const [most, setMost] = useState(ROWS);
  const order = useRef<string[]>([]);
  const key = useRef("");
  const place = useRef<HTMLDivElement>(null);
  const drawn = useRef<ReadonlySet<string>>(new Set());
  const [, drawMore] = useState(0);

  const byId = new Map(rows.map((row) => [id(row), row]));
  let shown: T[];
  if (isHeld && key.current === wanted) {
    const kept = order.current.filter((each) => byId.has(each));
    const known = new Set(kept);
    shown = [...kept, ...[...byId.keys()].filter((each) => !known.has(each))].map((each) => byId.get(each) as T);
  } else {
    shown = sorted(
      rows,
      columns.find((column) => column.id === sortedBy),
      isDown,
    );
  }
  order.current = shown.map(id);
  key.current = wanted;
  const wantedRows = order.current.slice(0, most);
  const now = drawable(wantedRows, drawn.current, FRESH_ROWS);
  drawn.current = new Set(wantedRows.slice(0, now));
  const isWhole = now === wantedRows.length;
  // Until it is whole it is as high as it was: nothing that somebody has scrolled to may move.
  const height = isWhole ? undefined : place.current?.offsetHeight;
  useEffect(() => {
    if (isWhole) return;
    let timer = 0;
    const request = requestAnimationFrame(() => {
      timer = window.setTimeout(() => drawMore((turn) => turn + 1));
    });
    return () => {
      cancelAnimationFrame(request);
      clearTimeout(timer);
    };
  });

  const { selected, onSelect } = props;
  const toggle = (each: string) => {
    const next = new Set(selected);
    if (!next.delete(each)) next.add(each);
    onSelect?.(next);
  };
  if (!rows.length) return <>{typeof props.empty === "string" ? <Empty title={props.empty} /> : props.empty}</>;
  return (
    <div
      ref={place}
      class="scroller"
      style={{ minHeight: height ? `${height}px` : "" }}
      role="region"
      aria-label={`${caption}, table`}
      tabIndex={0}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocusIn={() => setHeld(true)}
      onFocusOut={() => setHeld(false)}
    >
      {/* Blocks take the table's meaning from it: so it is said. */}
      <table class="stacked" role="table">
        <caption class="unseen">{caption}</caption>
        <thead role="rowgroup">
          <tr role="row">
            {onSelect && (
              <th scope="col" role="columnheader" class="check">
                <span class="unseen">Selected</span>
              </th>
            )}
            {columns.map((column) => (
              <th
                key={column.id}
                scope="col"
                role="columnheader"
                class={classOf(column, "")}
                aria-sort={column.id === sortedBy ? (isDown ? "descending" : "ascending") : undefined}
              >
                <button
                  type="button"
                  onClick={() =>
                    setQuery({
                      [`${name}.sort`]:
                        column.id === sortedBy && isDown === Boolean(column.isNumber)
                          ? `${isDown ? "" : "-"}${column.id}`
                          : `${column.isNumber ? "-" : ""}${column.id}`,
                    })
                  }
                >
                  {column.title}
                  {column.unit && <span class="unit"> {column.unit}</span>}
                  <span class="arrow" aria-hidden="true">
                    {column.id === sortedBy ? (isDown ? "▾" : "▴") : ""}
                  </span>
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {shown.slice(0, now).map((row) => {
            const each = id(row);
            return (
              <tr key={each} role="row" class={props.rowClass?.(row) ?? ""}>
                {onSelect && (
                  <td role="cell" class="check">
                    <input
                      type="checkbox"
                      aria-label={`Select ${each}`}
                      checked={selected?.has(each) ?? false}
                      onChange={() => toggle(each)}
                    />
                  </td>
                )}
                {columns.map((column) => (
                  <td key={column.id} role="cell" class={classOf(column, "live")} data-label={labelOf(column)}>
                    {column.cell ? column.cell(row) : column.value(row)}
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
      {isWhole && shown.length > most && (
        <p class="rest">
          <span class="dim">{count(shown.length - most)} more below these.</span>{" "}
          <button type="button" onClick={() => setMost(most + ROWS)}>
            Show {count(Math.min(ROWS, shown.length - most))} more
          </button>
        </p>
      )}
    </div>
  );
}
