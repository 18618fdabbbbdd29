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

export function sorted<T>(rows: T[], column: Column<T> | undefined, isDown: boolean): T[] {
  if (!column) return rows;
  const sign = isDown ? -1 : 1;
  return [...rows].sort((one, other) => {
    const left = column.value(one);
    const right = column.value(other);
    if (typeof left === "number" && typeof right === "number") return sign * (left - right);
    return sign * String(left).localeCompare(String(right), "en", { numeric: true });
  });
}
