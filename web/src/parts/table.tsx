// Tables that stand still: figures change in place, and rows keep their order while somebody points at them.
import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";
import { query, setQuery } from "../router.ts";
import { type Column, sorted } from "../sorting.ts";
import { Empty } from "./basics.tsx";

export type { Column };

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
  const order = useRef<string[]>([]);
  const key = useRef("");

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

  const { selected, onSelect } = props;
  const toggle = (each: string) => {
    const next = new Set(selected);
    if (!next.delete(each)) next.add(each);
    onSelect?.(next);
  };
  if (!rows.length) return <>{typeof props.empty === "string" ? <Empty title={props.empty} /> : props.empty}</>;
  return (
    <div
      class="scroller"
      role="region"
      aria-label={`${caption}, table`}
      tabIndex={0}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocusIn={() => setHeld(true)}
      onFocusOut={() => setHeld(false)}
    >
      <table>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {onSelect && (
              <th scope="col" class="check">
                <span class="unseen">Selected</span>
              </th>
            )}
            {columns.map((column) => (
              <th
                key={column.id}
                scope="col"
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
        <tbody>
          {shown.map((row) => {
            const each = id(row);
            return (
              <tr key={each} class={props.rowClass?.(row) ?? ""}>
                {onSelect && (
                  <td class="check">
                    <input
                      type="checkbox"
                      aria-label={`Select ${each}`}
                      checked={selected?.has(each) ?? false}
                      onChange={() => toggle(each)}
                    />
                  </td>
                )}
                {columns.map((column) => (
                  <td key={column.id} class={classOf(column, "live")}>
                    {column.cell ? column.cell(row) : column.value(row)}
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
