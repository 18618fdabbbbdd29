// Numbers, times and texts as people read them.

const GROUPED = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export function count(value: number | null | undefined): string {
  return value == null || !Number.isFinite(value) ? "–" : GROUPED.format(value);
}

/** So many of something, in one or in many. */
export function number(value: number, one: string): string {
  return `${count(value)} ${one}${value === 1 ? "" : "s"}`;
}

/** A rate: three digits that matter, and never more than anybody can read. */
export function rate(value: number | null | undefined): string {
  if (value == null || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  if (value < 10) return value.toFixed(2);
  if (value < 100) return value.toFixed(1);
  return GROUPED.format(value);
}

export function bytes(value: number | null | undefined): string {
  if (value == null || !Number.isFinite(value)) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]}`;
}

export function milliseconds(seconds: number | null | undefined): string {
  if (seconds == null || !Number.isFinite(seconds)) return "–";
  const value = seconds * 1000;
  return value < 10 ? value.toFixed(1) : GROUPED.format(value);
}

export function percent(share: number | null | undefined): string {
  if (share == null || !Number.isFinite(share)) return "–";
  return (share * 100).toFixed(share < 0.1 ? 1 : 0);
}

/** A length of time, in its two largest units. */
export function duration(seconds: number | null | undefined): string {
  if (seconds == null || !Number.isFinite(seconds)) return "–";
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

export type Zone = "local" | "UTC";

function parts(ms: number, zone: Zone): Date {
  const date = new Date(ms);
  // The same digits, read as if they were UTC.
  return zone === "UTC" ? date : new Date(ms - date.getTimezoneOffset() * 60_000);
}

export function clock(ms: number | null | undefined, zone: Zone): string {
  return ms == null || !Number.isFinite(ms) ? "–" : parts(ms, zone).toISOString().slice(11, 19);
}

export function clockMs(ms: number, zone: Zone): string {
  return parts(ms, zone).toISOString().slice(11, 23);
}

export function dateTime(ms: number | null | undefined, zone: Zone): string {
  return ms == null || !Number.isFinite(ms) ? "–" : parts(ms, zone).toISOString().slice(0, 19).replace("T", " ");
}

export function zoneName(zone: Zone): string {
  if (zone === "UTC") return "UTC";
  const minutes = -new Date().getTimezoneOffset();
  const sign = minutes < 0 ? "−" : "+";
  const hours = Math.floor(Math.abs(minutes) / 60);
  const rest = Math.abs(minutes) % 60;
  return `local (UTC${sign}${hours}${rest ? `:${String(rest).padStart(2, "0")}` : ""})`;
}

/** A text of a client or the plant, with what nobody can see written out. */
export function plain(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

export function words(text: string): string {
  return text.replaceAll("_", " ").replaceAll("-", " ");
}

/** One cell of a CSV file: quoted, and nothing that a spreadsheet would take for a formula. */
export function csvCell(value: string | number): string {
  let text = String(value);
  if (/^[=+\-@\t\r]/.test(text) && !/^[+-]?\d+(\.\d+)?$/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function shortId(sessionId: string): string {
  return sessionId.slice(-6);
}
