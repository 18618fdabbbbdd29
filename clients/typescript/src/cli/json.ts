/** Messages as the JSON that every client's CLI prints: keys in the order of the contract, every plain field present. */

import {
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  ScalarType,
  toJson,
} from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";

/**
 * A message as protobuf JSON; 64-bit integers as texts, floats with the fewest digits that give them back, and in the
 * order of the contract.
 */
export function messageJson<D extends DescMessage>(schema: D, message: MessageShape<D>): JsonObject {
  const document = toJson(schema, message, { alwaysEmitImplicit: true }) as JsonObject;
  return mended(document, reflect(schema, message));
}

function mended(document: JsonObject, message: ReflectMessage): JsonObject {
  const found: JsonObject = {};
  // As the contract declares them: ours, with numbers from 100, may stand before older ones.
  for (const field of message.desc.fields) {
    const value = document[field.jsonName];
    if (value !== undefined) found[field.jsonName] = mendedField(value, field, message);
  }
  // Messages of the well-known types have a form of their own.
  return Object.keys(found).length > 0 || Object.keys(document).length === 0 ? found : document;
}

function mendedField(value: JsonValue, field: DescField, message: ReflectMessage): JsonValue {
  if (field.fieldKind === "message" && isObject(value)) {
    const inner = message.get(field);
    return isReflect(inner) ? mended(value, inner) : value;
  }
  if (field.fieldKind === "list" && Array.isArray(value)) {
    const list = [...message.get(field)] as unknown[];
    return value.map((each, index) => {
      const inner = list[index];
      if (isObject(each) && isReflect(inner)) return mended(each, inner);
      return field.listKind === "scalar" && field.scalar === ScalarType.FLOAT ? shortest(each) : each;
    });
  }
  return field.fieldKind === "scalar" && field.scalar === ScalarType.FLOAT ? shortest(value) : value;
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isReflect(value: unknown): value is ReflectMessage {
  return typeof value === "object" && value !== null && "desc" in value && "get" in value;
}

/** The number with the fewest digits that is the same 32-bit float. */
function shortest(value: JsonValue): JsonValue {
  if (typeof value !== "number") return value;
  const wanted = Math.fround(value);
  for (let digits = 1; digits <= 9; digits += 1) {
    const candidate = Number(wanted.toPrecision(digits));
    if (Math.fround(candidate) === wanted) return candidate;
  }
  return value;
}
