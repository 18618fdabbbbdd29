/** MxCommand messages: which kind belongs to which payload, and what may be repeated. */

import { type MessageInitShape, create } from "@bufbuild/protobuf";

import { type MxCommand, MxCommandKind, MxCommandSchema } from "./gen/mxaccess_gateway_pb.js";
import { REPEATABLE_COMMANDS } from "./tables.js";
import { MAX_BULK_ITEMS } from "./version.js";

/** An arm of MxCommand, as the generated code spells it. */
export type CommandArm = NonNullable<MxCommand["payload"]["case"]>;
type CommandInit = NonNullable<NonNullable<MessageInitShape<typeof MxCommandSchema>["payload"]>>;
/** The fields of an arm's payload. */
export type CommandFields<A extends CommandArm> = Extract<CommandInit, { case: A }>["value"];

const KINDS = new Map<string, MxCommandKind>();
const NAMES = new Map<MxCommandKind, string>();
for (const field of MxCommandSchema.fields) {
  if (field.oneof?.name !== "payload" || field.message === undefined) continue;
  const kind = MxCommandKind[field.name.toUpperCase() as keyof typeof MxCommandKind];
  KINDS.set(field.localName, kind);
  NAMES.set(kind, field.message.name.replace(/Command$/, ""));
}

/** Commands that change nothing, so that a retry policy may repeat them. */
export const REPEATABLE: ReadonlySet<MxCommandKind> = new Set(
  REPEATABLE_COMMANDS.map((name) => MxCommandKind[name.toUpperCase() as keyof typeof MxCommandKind]),
);

/** The kind as MXAccess writes it, `AddItem2` for ADD_ITEM2. */
export function methodName(kind: MxCommandKind): string {
  return NAMES.get(kind) ?? `command ${kind}`;
}

/** The command of a payload; the kind is the one that belongs to the arm. */
export function command<A extends CommandArm>(arm: A, fields: CommandFields<A>): MxCommand {
  const kind = KINDS.get(arm) ?? MxCommandKind.UNSPECIFIED;
  return create(MxCommandSchema, { kind, payload: { case: arm, value: fields } as CommandInit });
}

/**
 * The entries of a bulk call as a list.
 *
 * @throws {TypeError} no list, one string where a list is meant, a hole, or more entries than one call takes.
 */
export function bulkEntries<T>(items: Iterable<T>, name: string, most: number = MAX_BULK_ITEMS): T[] {
  // Who writes JavaScript gets no help of a compiler.
  const given: unknown = items;
  if (given === null || given === undefined)
    throw new TypeError(`${name} is missing; give a list (an empty one is fine)`);
  if (typeof given === "string") throw new TypeError(`${name} is one string; give a list of strings`);
  const entries = [...items];
  const hole = entries.findIndex((entry) => entry === null || entry === undefined);
  if (hole >= 0) throw new TypeError(`${name} holds nothing at index ${hole}`);
  if (entries.length > most)
    throw new TypeError(`${name} has ${entries.length} entries; one call takes at most ${most}, so split it`);
  return entries;
}

/** @throws {RangeError} a number that is no integer of 32 bits. */
export function int32(value: number, name: string): number {
  if (!Number.isInteger(value) || value < -(2 ** 31) || value >= 2 ** 31) {
    throw new RangeError(`${name} is ${value}, but needs to be a whole number of 32 bits`);
  }
  return value;
}

const MAX_UINT32 = 2 ** 32 - 1;

/** @throws {RangeError} a number that is no integer of 32 bits without a sign. */
export function uint32(value: number, name: string): number {
  if (!Number.isInteger(value) || value < 0 || value > MAX_UINT32) {
    throw new RangeError(`${name} is ${value}, but needs to be a whole number within 0 and ${MAX_UINT32}`);
  }
  return value;
}
