/** Values and messages in the words of the conformance suite. */

import {
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  createRegistry,
  fromJson,
  toJson,
} from "@bufbuild/protobuf";

import { file_galaxy_repository } from "../src/gen/galaxy_repository_pb.js";
import { type MxValue, MxValueSchema, file_mxaccess_gateway } from "../src/gen/mxaccess_gateway_pb.js";
import {
  type MxInput,
  type MxOutput,
  MxTime,
  type MxTypeName,
  OutOfRangeTime,
  fromMxValue,
  toMxValue,
} from "../src/index.js";

export type Json = JsonValue;
export type Args = Readonly<Record<string, JsonValue>>;

const registry = createRegistry(file_mxaccess_gateway, file_galaxy_repository);

/** The schema of a message of either service, by its bare name. */
export function schemaOf(name: string): DescMessage {
  const found =
    registry.getMessage(`mxaccess_gateway.v1.${name}`) ?? registry.getMessage(`galaxy_repository.v1.${name}`);
  if (found === undefined) throw new TypeError(`there is no message ${name}`);
  return found;
}

/** A message as the suite writes it: field names of the proto files, defaults left out. */
export function asJson<D extends DescMessage>(schema: D, message: MessageShape<D>): JsonObject {
  return toJson(schema, message, { useProtoFieldName: true }) as JsonObject;
}

export function asMessage<D extends DescMessage>(schema: D, document: JsonValue): MessageShape<D> {
  return fromJson(schema, document);
}

/** What is to be written, from a value that names its type. */
export function writable(tagged: JsonValue): MxInput {
  const [[kind, given] = ["null", null]] = Object.entries(tagged as JsonObject);
  switch (kind) {
    case "mx_value":
      return fromJson(MxValueSchema, given);
    case "null":
      return null;
    case "array": {
      const { type, values } = given as { type: MxTypeName; values: JsonValue[] };
      return toMxValue(elements(type, values), type);
    }
    default:
      return toMxValue(scalar(kind, given), kind as MxTypeName);
  }
}

function elements(kind: string, values: readonly JsonValue[]): MxInput[] {
  return values.map((each) => (Array.isArray(each) ? elements(kind, each) : scalar(kind, each)));
}

function scalar(kind: string, given: JsonValue): MxInput {
  switch (kind) {
    case "int64":
      return BigInt(given as string);
    case "float":
    case "double":
    case "elapsed":
      return Number(given);
    case "timestamp":
      return MxTime.parse(given as string);
    case "raw":
      return Buffer.from(given as string, "base64");
    default:
      return given as MxInput;
  }
}

/** A received value by its type. */
export function tagged(value: MxValue | undefined): JsonObject {
  const plain = value === undefined ? null : fromMxValue(value);
  const arm = value?.kind.case;
  if (plain === null) return { null: true };
  if (plain instanceof OutOfRangeTime) return standIn(plain);
  if (value?.kind.case === "arrayValue") {
    const type = (value.kind.value.values.case ?? "").replace(/Values$/, "");
    return { array: { type, values: (plain as MxOutput[]).map(shown) } };
  }
  if (plain instanceof Map)
    return { sparse: Object.fromEntries([...plain].map(([index, each]) => [String(index), shown(each)])) };
  if (value !== undefined && isElapsed(value)) return { elapsed: shown(plain) };
  return { [(arm ?? "").replace(/Value$/, "")]: shown(plain) };
}

function standIn({ seconds, nanos }: OutOfRangeTime): JsonObject {
  return { out_of_range: { seconds: seconds.toString(), nanos } };
}

function isElapsed(value: MxValue): boolean {
  return value.dataType === 9 && (value.kind.case === "doubleValue" || value.kind.case === "floatValue");
}

function shown(value: MxOutput): JsonValue {
  if (Array.isArray(value)) return value.map(shown);
  if (value instanceof OutOfRangeTime) return standIn(value);
  if (value instanceof MxTime) return microseconds(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  return value as JsonValue;
}

/** The suite writes times with microseconds at least. */
function microseconds(time: MxTime): string {
  const digits = String(time.nanos).padStart(9, "0");
  const whole = new MxTime(time.seconds).toString().slice(0, -1);
  return `${whole}.${digits.slice(0, 6)}Z`;
}
