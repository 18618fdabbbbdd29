/** Times of the contract: to the nanosecond, which a Date does not hold. */

import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";

const NS = 1_000_000_000;
// The years 1 to 9999, which is what a Timestamp may hold.
const FIRST = -62_135_596_800n;
const LAST = 253_402_300_799n;

/** A moment, counted from 1970 in UTC. */
export class MxTime {
  readonly seconds: bigint;
  /** 0 to 999,999,999. */
  readonly nanos: number;

  /** @throws {RangeError} nanoseconds beyond a second, or a moment outside the years 1 to 9999. */
  constructor(seconds: bigint, nanos = 0) {
    if (!Number.isInteger(nanos) || nanos < 0 || nanos >= NS) throw new RangeError(`nanos is ${nanos}`);
    if (seconds < FIRST || seconds > LAST) throw new RangeError(`${seconds} s lies outside the years 1 to 9999`);
    this.seconds = seconds;
    this.nanos = nanos;
  }

  /** @throws {RangeError} an invalid Date. */
  static fromDate(date: Date): MxTime {
    const ms = date.getTime();
    if (!Number.isFinite(ms)) throw new RangeError("an invalid Date is no time");
    const seconds = Math.floor(ms / 1000);
    return new MxTime(BigInt(seconds), (ms - seconds * 1000) * 1_000_000);
  }

  /** The time of a received Timestamp; undefined where it is none, for what came is believed only as far as it goes. */
  static fromTimestamp(stamp: Timestamp): MxTime | undefined {
    try {
      return new MxTime(stamp.seconds, stamp.nanos);
    } catch {
      return undefined;
    }
  }

  /**
   * The time of an RFC 3339 text with up to nine digits of a second, and Z or an offset.
   *
   * @throws {RangeError} the text is none, or lacks its zone.
   */
  static parse(text: string): MxTime {
    const form = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))? ?([Zz]|[+-]\d{2}:\d{2})$/;
    const match = form.exec(text.trim());
    const [, day, clock, fraction = "", zone = ""] = match ?? [];
    const at = match === null ? NaN : Date.parse(`${day}T${clock}${zone.toUpperCase()}`);
    // Date.parse takes the 31st of any month.
    const isDay = match !== null && new Date(`${day}T00:00:00Z`).toISOString().startsWith(day ?? " ");
    if (!Number.isFinite(at) || !isDay) {
      throw new RangeError(`'${text}' is no RFC 3339 time such as 2026-01-31T12:00:00Z or …12:00:00.123456789+01:00`);
    }
    return new MxTime(BigInt(at / 1000), Number(fraction.padEnd(9, "0")));
  }

  /** The Date of it, which ends at milliseconds. */
  toDate(): Date {
    return new Date(Number(this.seconds) * 1000 + Math.floor(this.nanos / 1_000_000));
  }

  /** As protobuf has it. */
  toTimestamp(): Timestamp {
    // What `create` gives, without the library: to load it is a good part of what a start of the CLI costs.
    return { $typeName: "google.protobuf.Timestamp", seconds: this.seconds, nanos: this.nanos };
  }

  /** RFC 3339 with 0, 3, 6 or 9 digits, as many as it needs. */
  toString(): string {
    const digits = String(this.nanos).padStart(9, "0");
    const shown =
      this.nanos === 0
        ? ""
        : digits.endsWith("000000")
          ? digits.slice(0, 3)
          : digits.endsWith("000")
            ? digits.slice(0, 6)
            : digits;
    const whole = new Date(Number(this.seconds) * 1000).toISOString().slice(0, 19);
    return `${whole}${shown ? `.${shown}` : ""}Z`;
  }

  /** As `toString`. */
  toJSON(): string {
    return this.toString();
  }
}

/** A length of time as protobuf has it; what rounds up to a second is one. */
export function durationOf(milliseconds: number): Duration {
  const nanos = BigInt(Math.round(milliseconds * 1e6));
  const second = BigInt(NS);
  return { $typeName: "google.protobuf.Duration", seconds: nanos / second, nanos: Number(nanos % second) };
}
