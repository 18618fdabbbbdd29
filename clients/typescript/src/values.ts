/**
 * JavaScript values as MxValue, and back.
 *
 * | JavaScript | MxValue arm | VARTYPE | MxDataType |
 * |---|---|---|---|
 * | null | none, isNull | VT_EMPTY | NO_DATA |
 * | boolean | boolValue | VT_BOOL | BOOLEAN |
 * | number that is an integer of 32 bits, `mx.int32` | int32Value | VT_I4 | INTEGER |
 * | bigint, `mx.int64` | int64Value | VT_I8 | INTEGER |
 * | any other number, `mx.double` | doubleValue | VT_R8 | DOUBLE |
 * | `mx.float` | floatValue | VT_R4 | FLOAT |
 * | string | stringValue | VT_BSTR | STRING |
 * | Date, MxTime | timestampValue | VT_DATE | TIME |
 * | `mx.elapsed` (seconds) | doubleValue | VT_R8 | ELAPSED_TIME |
 * | Uint8Array | rawValue | VT_RECORD | UNKNOWN |
 * | array, nested too | arrayValue of the elements' type | VT_ARRAY and theirs | theirs |
 */

import { create, isMessage } from "@bufbuild/protobuf";

import {
  MxArraySchema,
  MxDataType,
  type MxSparseArray,
  MxSparseArraySchema,
  type MxValue,
  MxValueSchema,
  type MxArray,
} from "./gen/mxaccess_gateway_pb.js";
import { MxTime } from "./time.js";

/** Names of the types that a value can be given. */
export type MxTypeName = "bool" | "int32" | "int64" | "float" | "double" | "string" | "timestamp" | "elapsed" | "raw";

/** What can be written. */
export type MxInput =
  null | boolean | number | bigint | string | Date | MxTime | Uint8Array | MxValue | MxSparseArray | readonly MxInput[];

/** What comes back: see `fromMxValue`. */
export type MxOutput =
  null | boolean | number | bigint | string | MxTime | OutOfRangeTime | Uint8Array | Map<number, MxOutput> | MxOutput[];

/** Stands for a received time that no calendar has; its raw form is kept. */
export class OutOfRangeTime {
  constructor(
    readonly seconds: bigint,
    readonly nanos: number,
  ) {}

  /** Seconds and nanoseconds since 1970, as a text. */
  toString(): string {
    return `${this.seconds} s ${this.nanos} ns since 1970`;
  }
}

interface Form {
  readonly scalar: NonNullable<MxValue["kind"]["case"]>;
  readonly array: NonNullable<MxArray["values"]["case"]>;
  readonly vartype: string;
  readonly dataType: MxDataType;
}

const FORMS: Readonly<Record<MxTypeName, Form>> = {
  bool: { scalar: "boolValue", array: "boolValues", vartype: "VT_BOOL", dataType: MxDataType.BOOLEAN },
  int32: { scalar: "int32Value", array: "int32Values", vartype: "VT_I4", dataType: MxDataType.INTEGER },
  int64: { scalar: "int64Value", array: "int64Values", vartype: "VT_I8", dataType: MxDataType.INTEGER },
  float: { scalar: "floatValue", array: "floatValues", vartype: "VT_R4", dataType: MxDataType.FLOAT },
  double: { scalar: "doubleValue", array: "doubleValues", vartype: "VT_R8", dataType: MxDataType.DOUBLE },
  string: { scalar: "stringValue", array: "stringValues", vartype: "VT_BSTR", dataType: MxDataType.STRING },
  timestamp: { scalar: "timestampValue", array: "timestampValues", vartype: "VT_DATE", dataType: MxDataType.TIME },
  elapsed: { scalar: "doubleValue", array: "doubleValues", vartype: "VT_R8", dataType: MxDataType.ELAPSED_TIME },
  raw: { scalar: "rawValue", array: "rawValues", vartype: "VT_RECORD", dataType: MxDataType.UNKNOWN },
};
const INT64 = 2n ** 63n;
const FLOAT_MAX = 3.4028234663852886e38;
const MAX_DIMENSIONS = 60;

/** Values whose type has to be said, because JavaScript has one number for all. Each takes a value, or a (nested) list. */
export const mx = {
  /** VT_BOOL. */
  bool: (value: boolean | readonly MxInput[]): MxValue => toMxValue(value, "bool"),
  /** VT_I4. */
  int32: (value: number | readonly MxInput[]): MxValue => toMxValue(value, "int32"),
  /** VT_I8. */
  int64: (value: number | bigint | readonly MxInput[]): MxValue => toMxValue(value, "int64"),
  /** VT_R4. */
  float: (value: number | readonly MxInput[]): MxValue => toMxValue(value, "float"),
  /** VT_R8. */
  double: (value: number | readonly MxInput[]): MxValue => toMxValue(value, "double"),
  /** VT_BSTR. */
  string: (value: string | readonly MxInput[]): MxValue => toMxValue(value, "string"),
  /** VT_DATE. */
  timestamp: (value: Date | MxTime | readonly MxInput[]): MxValue => toMxValue(value, "timestamp"),
  /** Seconds. */
  elapsed: (value: number | readonly MxInput[]): MxValue => toMxValue(value, "elapsed"),
  /** Bytes of a VARIANT without a form of its own. */
  raw: (value: Uint8Array | readonly MxInput[]): MxValue => toMxValue(value, "raw"),
} as const;

/**
 * The MxValue of a JavaScript value; an MxValue is returned as it is, an MxSparseArray is wrapped.
 *
 * @param type in place of the type that the value shows; needed for an empty list.
 * @throws {RangeError} NaN, infinity, or a number beyond its type.
 * @throws {TypeError} a type without a form in MXAccess, a list of mixed types, ragged rows.
 */
export function toMxValue(value: MxInput, type?: MxTypeName): MxValue {
  if (isMessage(value, MxValueSchema)) return value;
  if (isMessage(value, MxSparseArraySchema)) {
    return create(MxValueSchema, { dataType: value.elementDataType, kind: { case: "sparseArrayValue", value } });
  }
  if (value === null)
    return create(MxValueSchema, { dataType: MxDataType.NO_DATA, variantType: "VT_EMPTY", isNull: true });
  if (Array.isArray(value)) return arrayOf(value as readonly MxInput[], type);
  const name = typeOf(value, type);
  const form = FORMS[name];
  return create(MxValueSchema, {
    dataType: form.dataType,
    variantType: form.vartype,
    kind: { case: form.scalar, value: convert(value, name) } as MxValue["kind"],
  });
}

function arrayOf(value: readonly MxInput[], type: MxTypeName | undefined): MxValue {
  const { flat, dimensions } = flatten(value);
  if (flat.length === 0 && type === undefined) {
    throw new TypeError("an empty list does not say its type; give one, for example mx.int32([])");
  }
  let names = new Set(flat.map((element) => typeOf(element, type)));
  if (type === undefined && names.has("double") && [...names].every((name) => name === "int32" || name === "double")) {
    names = new Set(["double"]);
  }
  if (names.size > 1) throw new TypeError(`a list for MXAccess holds one type, not ${[...names].sort().join(" and ")}`);
  const name = [...names][0] ?? type ?? "int32";
  const form = FORMS[name];
  const elements = { values: flat.map((element) => convert(element, name)) };
  const variantType = `VT_ARRAY|${form.vartype}`;
  return create(MxValueSchema, {
    dataType: form.dataType,
    variantType,
    kind: {
      case: "arrayValue",
      value: create(MxArraySchema, {
        elementDataType: form.dataType,
        variantType,
        dimensions,
        values: { case: form.array, value: elements } as unknown as MxArray["values"],
      }),
    },
  });
}

function flatten(value: readonly MxInput[]): { flat: MxInput[]; dimensions: number[] } {
  if (!value.some((element) => Array.isArray(element))) return { flat: [...value], dimensions: [value.length] };
  const rows = value.map((row) => (Array.isArray(row) ? flatten(row as readonly MxInput[]) : undefined));
  const shape = rows[0]?.dimensions.join();
  if (rows.some((row) => row === undefined || row.dimensions.join() !== shape)) {
    throw new TypeError("a nested list needs rows of one length");
  }
  return {
    flat: rows.flatMap((row) => row?.flat ?? []),
    dimensions: [value.length, ...(rows[0]?.dimensions ?? [])],
  };
}

function typeOf(value: MxInput, asked: MxTypeName | undefined): MxTypeName {
  const natural = naturalType(value);
  if (asked === undefined || asked === natural) return natural;
  const isNumber = natural === "int32" || natural === "double";
  const fits =
    (isNumber && (asked === "float" || asked === "double" || asked === "elapsed")) ||
    (asked === "int64" && natural === "int32") ||
    (asked === "int64" && natural === "double" && Number.isSafeInteger(value));
  if (fits) return asked;
  if (asked === "int32" && isNumber) throw new RangeError(`${value as number} is no whole number of 32 bits`);
  throw new TypeError(`a ${natural} does not fit the type ${asked}`);
}

function naturalType(value: MxInput): MxTypeName {
  switch (typeof value) {
    case "boolean":
      return "bool";
    case "number":
      return Number.isInteger(value) && value >= -(2 ** 31) && value < 2 ** 31 && !Object.is(value, -0)
        ? "int32"
        : "double";
    case "bigint":
      return "int64";
    case "string":
      return "string";
    default:
      return typeOfObject(value);
  }
}

function typeOfObject(value: MxInput): MxTypeName {
  if (value instanceof Date || value instanceof MxTime) return "timestamp";
  if (value instanceof Uint8Array) return "raw";
  if (value === null) throw new TypeError("null has no place within an array");
  throw new TypeError(
    "this has no form in MXAccess; use boolean, number, bigint, string, Date, MxTime, Uint8Array, or a list",
  );
}

function convert(value: MxInput, name: MxTypeName): unknown {
  switch (name) {
    case "float":
    case "double":
    case "elapsed": {
      const number = Number(value);
      if (!Number.isFinite(number)) throw new RangeError(`${number} cannot be written: MXAccess has no form for it`);
      if (name === "float" && Math.abs(number) > FLOAT_MAX) throw new RangeError(`${number} is beyond a 32-bit float`);
      return number;
    }
    case "int64": {
      const number = BigInt(value as number | bigint);
      if (number < -INT64 || number >= INT64) throw new RangeError(`${number} is beyond 64 bits`);
      return number;
    }
    case "timestamp":
      return (value instanceof Date ? MxTime.fromDate(value) : (value as MxTime)).toTimestamp();
    default:
      return value;
  }
}

/**
 * The JavaScript value of an MxValue: the inverse of `toMxValue`. Never throws.
 *
 * Times become MxTime (OutOfRangeTime where no calendar has them), elapsed times their seconds, VT_I8 a bigint, arrays
 * lists (nested for more than one dimension), a sparse array a Map of index and value, a VARIANT without a form of its
 * own its bytes, null null.
 */
export function fromMxValue(value: MxValue): MxOutput {
  const { kind } = value;
  if (value.isNull || kind.case === undefined) return null;
  if (kind.case === "timestampValue") return timeOf(kind.value.seconds, kind.value.nanos);
  if (kind.case === "arrayValue") return fromArray(kind.value);
  if (kind.case === "sparseArrayValue") {
    return new Map(kind.value.elements.map((each) => [each.index, each.value ? fromMxValue(each.value) : null]));
  }
  return kind.value;
}

function timeOf(seconds: bigint, nanos: number): MxTime | OutOfRangeTime {
  try {
    return new MxTime(seconds, nanos);
  } catch {
    return new OutOfRangeTime(seconds, nanos);
  }
}

function fromArray(array: MxArray): MxOutput[] {
  const { values } = array;
  if (values.case === undefined) return [];
  const flat: MxOutput[] =
    values.case === "timestampValues"
      ? values.value.values.map((stamp) => timeOf(stamp.seconds, stamp.nanos))
      : [...values.value.values];
  const { dimensions } = array;
  const product = dimensions.reduce((total, each) => total * each, 1);
  // Dimensions that do not describe the elements are not believed.
  if (dimensions.length < 2 || dimensions.length > MAX_DIMENSIONS || product !== flat.length || product === 0)
    return flat;
  return nested(flat, dimensions);
}

function nested(flat: MxOutput[], dimensions: readonly number[]): MxOutput[] {
  if (dimensions.length < 2) return flat;
  const inner = dimensions.slice(1);
  const width = inner.reduce((total, each) => total * each, 1);
  return Array.from({ length: dimensions[0] ?? 0 }, (_, row) =>
    nested(flat.slice(row * width, (row + 1) * width), inner),
  );
}
