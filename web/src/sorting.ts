// Columns of tables, and the order of their rows.
import type { ComponentChildren } from "preact";

export interface Column<T> {
  id: string;
  title: string;
  /** What is sorted by. */
  value: (row: T) => string | number;
  cell?: (row: T) => ComponentChildren;
  unit?: string;
  isNumber?: boolean;
  /** Less important: left out on a narrow screen. */
  isWide?: boolean;
  /** One line, cut off where there is no room. */
  isName?: boolean;
}

// Made once: to make one for each comparison takes longer than all else that is done with a list.
const TEXTS = new Intl.Collator("en", { numeric: true });

export function sorted<T>(rows: T[], column: Column<T> | undefined, isDown: boolean): T[] {
  if (!column) return rows;
  const sign = isDown ? -1 : 1;
  // Each value is made once, not for each comparison.
  const values = rows.map((row) => ({ row, value: column.value(row) }));
  values.sort(({ value: left }, { value: right }) => {
    if (typeof left === "number" && typeof right === "number") return sign * (left - right);
    return sign * TEXTS.compare(String(left), String(right));
  });
  return values.map(({ row }) => row);
}

/**
 * How many of these rows are drawn now: up to the first that would be one new row too many. Rows that stand there
 * already cost little, wherever they move to; what is left out comes with the next picture of the screen.
 */
export function drawable(ids: string[], drawn: ReadonlySet<string>, most: number): number {
  let fresh = 0;
  const index = ids.findIndex((each) => !drawn.has(each) && ++fresh > most);
  return index < 0 ? ids.length : index;
}
