/** Values given as text on the command line. */

import type { MxValue } from "../gen/mxaccess_gateway_pb.js";
import { MxTime } from "../time.js";
import { type MxInput, toMxValue } from "../values.js";
import { ValueParseError } from "./outcomes.js";

const SCALARS = ["bool", "int32", "int64", "float", "double", "string", "timestamp", "elapsed"] as const;
/** What --type takes. */
export const TYPES: readonly string[] = [...SCALARS, ...SCALARS.map((name) => `${name}[]`)];

type Scalar = (typeof SCALARS)[number];

const WANTED: Readonly<Record<Scalar, string>> = {
  bool: "true or false",
  int32: "a whole number such as 42",
  int64: "a whole number such as 42",
  float: "a number such as 3.5",
  double: "a number such as 3.5",
  string: "a text",
  timestamp: "a time with its zone, such as 2026-01-31T12:00:00Z or 2026-01-31 12:00:00.5+01:00",
  elapsed: "seconds such as 90, or a duration such as 0:01:30 or 2 days 3:00:00",
};
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const CLOCK = /^([+-]?)(?:(\d+) ?(?:d|days?),? )?(\d+):([0-5]\d):([0-5]\d(?:\.\d+)?)$/;
const ISO_DURATION = /^([+-]?)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i;

/**
 * The MxValue of a text.
 *
 * @param type one of TYPES; elements of an array stand in brackets, or with commas between.
 * @param flag what to name in the error.
 * @throws {ValueParseError} the text is no such value; the cause is kept.
 */
export function parseValue(text: string, type: string, flag: string): MxValue {
  const scalar = type.replace(/\[\]$/, "") as Scalar;
  try {
    if (!SCALARS.includes(scalar)) throw new RangeError(`--type is one of ${TYPES.join(", ")}`);
    if (type === scalar) return toMxValue(parseScalar(scalar === "string" ? text : text.trim(), scalar), scalar);
    return toMxValue(
      elementsOf(text).map((each) => rowOf(each, scalar)),
      scalar,
    );
  } catch (error) {
    const why = (error as Error).message || `say ${WANTED[scalar]}`;
    throw new ValueParseError(`${flag}: '${text}' is no ${type}: ${why}`, { cause: error });
  }
}

type Element = string | Element[];

function rowOf(element: Element, scalar: Scalar): MxInput {
  if (typeof element !== "string") return element.map((each) => rowOf(each, scalar));
  if (scalar === "string") return element;
  if (!element.trim()) throw new RangeError(`an element is empty; say ${WANTED[scalar]}`);
  return parseScalar(element.trim(), scalar);
}

function parseScalar(text: string, scalar: Scalar): MxInput {
  switch (scalar) {
    case "string":
      return plainText(text);
    case "bool":
      if (["true", "1", "on", "yes"].includes(text.toLowerCase())) return true;
      if (["false", "0", "off", "no"].includes(text.toLowerCase())) return false;
      throw new RangeError(`say ${WANTED.bool}`);
    case "int32":
    case "int64":
      return wholeNumber(text, scalar);
    case "float":
    case "double":
      return decimal(text, WANTED[scalar]);
    case "timestamp":
      return MxTime.parse(text);
    case "elapsed":
      return duration(text);
  }
}

function plainText(text: string): string {
  if (!(text.length > 1 && text.startsWith('"') && text.endsWith('"'))) return text;
  let inner: unknown;
  try {
    inner = JSON.parse(text);
  } catch {
    inner = undefined;
  }
  // Quotes without need would be somebody's own: nobody knows whether they belong to the value.
  if (typeof inner === "string" && (text.includes("\\") || inner === "" || inner !== inner.trim())) return inner;
  throw new RangeError(`it stands in quotes; say ${text.slice(1, -1)} without them`);
}

function wholeNumber(text: string, scalar: "int32" | "int64"): number | bigint {
  if (!/^[+-]?(\d+|0x[0-9a-f]+)$/i.test(text)) throw new RangeError(`say ${WANTED[scalar]}`);
  const isNegative = text.startsWith("-");
  const magnitude = BigInt(text.replace(/^[+-]/, ""));
  const value = isNegative ? -magnitude : magnitude;
  const bits = scalar === "int32" ? 31n : 63n;
  const [low, high] = [-(2n ** bits), 2n ** bits - 1n];
  if (value < low || value > high) throw new RangeError(`it is not within ${low} and ${high}`);
  return scalar === "int32" ? Number(value) : value;
}

function decimal(text: string, wanted: string): number {
  if (/^[+-]?\d+,\d+$/.test(text)) {
    throw new RangeError(`a comma separates the elements of an array; say ${text.replace(",", ".")} with a point`);
  }
  if (/^[+-]?(nan|inf|infinity)$/i.test(text)) throw new RangeError("MXAccess has no form for NaN and infinities");
  if (!NUMBER.test(text)) throw new RangeError(`say ${wanted}`);
  return Number(text);
}

function duration(text: string): number {
  const match = CLOCK.exec(text) ?? ISO_DURATION.exec(text);
  if (match === null) return decimal(text.replace(/ ?s$/, ""), WANTED.elapsed);
  const [, sign, ...parts]: (string | undefined)[] = match;
  if (parts.every((part) => part === undefined)) throw new RangeError(`say ${WANTED.elapsed}`);
  const [days = "0", hours = "0", minutes = "0", seconds = "0"] = parts;
  const total = Number(days) * 86_400 + Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  return sign === "-" ? -total : total;
}

/** The elements of a list: `[1, 2]`, `["a", "b, c"]`, `[[1, 2], [3, 4]]`, `[]`; or `1,2`, `a,"b, c"`. */
function elementsOf(text: string): Element[] {
  const trimmed = text.trim();
  if (!trimmed) throw new RangeError("it is empty; say [] for an array without elements");
  return trimmed.startsWith("[") ? new Brackets(trimmed).read() : separated(trimmed);
}

function separated(text: string): Element[] {
  const found: Element[] = [];
  for (let rest = text; ;) {
    const quoted = /^\s*"((?:[^"]|"")*)"\s*(,|$)/.exec(rest);
    if (quoted !== null) {
      found.push((quoted[1] ?? "").replaceAll('""', '"'));
      rest = rest.slice(quoted[0].length);
      if (quoted[2] !== ",") return found;
      continue;
    }
    const comma = rest.indexOf(",");
    found.push(bare(comma < 0 ? rest : rest.slice(0, comma)));
    if (comma < 0) return found;
    rest = rest.slice(comma + 1);
  }
}

function bare(text: string): string {
  const trimmed = text.trim();
  if (!trimmed) throw new RangeError('an element is empty; say "" for an empty text');
  if (trimmed === "…") throw new RangeError("it was cut short (…); give all elements");
  if (trimmed.startsWith('"')) throw new RangeError("a quote is not closed, or something stands behind it");
  return trimmed;
}

/** Reads a list in brackets. */
class Brackets {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): Element[] {
    const found = this.#row();
    if (this.#at < this.#text.length) throw new RangeError("something stands behind the last bracket");
    return found;
  }

  #row(): Element[] {
    this.#at += 1;
    this.#skip();
    if (this.#text[this.#at] === "]") {
      this.#at += 1;
      return [];
    }
    for (const found: Element[] = []; ;) {
      found.push(this.#element());
      this.#skip();
      const separator = this.#text[this.#at];
      this.#at += 1;
      if (separator === "]") return found;
      if (separator !== ",") throw new RangeError("elements stand in brackets with commas between, such as [1, 2]");
    }
  }

  #element(): Element {
    this.#skip();
    const char = this.#text[this.#at];
    if (char === "[") return this.#row();
    if (char === "'") throw new RangeError('texts stand in double quotes, such as ["a", "b"]');
    if (char === '"') {
      const quoted = /^"(?:[^"\\]|\\.)*"/.exec(this.#text.slice(this.#at));
      if (quoted === null) throw new RangeError("a quote is not closed");
      this.#at += quoted[0].length;
      try {
        return JSON.parse(quoted[0]) as string;
      } catch {
        throw new RangeError(`${quoted[0]} has an escape that JSON does not know; a backslash is \\\\`);
      }
    }
    const plain = /^[^,[\]"]*/.exec(this.#text.slice(this.#at))?.[0] ?? "";
    this.#at += plain.length;
    return bare(plain);
  }

  #skip(): void {
    while (/\s/.test(this.#text[this.#at] ?? "")) this.#at += 1;
  }
}
