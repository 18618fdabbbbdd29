// Tables as files for a spreadsheet.
import { csvCell } from "./format.ts";

export function saveCsv(name: string, rows: (string | number)[][]): void {
  const text = rows.map((row) => row.map(csvCell).join(",")).join("\r\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
