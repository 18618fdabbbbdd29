/**
 * The bulk commands: many entries in one round trip, one result for each, in the order given.
 *
 * An entry that fails has `wasSuccessful` false and never throws; only a call that fails as a whole does.
 */

import { type CommandFields, bulkEntries, int32, uint32 } from "./commands.js";
import { MxGatewayProtocolError } from "./errors.js";
import type { BulkReadResult, BulkWriteResult, SubscribeResult } from "./gen/mxaccess_gateway_pb.js";
import { ItemCommands, type Moment, type UserOptions, momentValue, users } from "./itemCommands.js";
import { type PayloadOf, payload } from "./replies.js";
import type { CallOptions } from "./transport.js";
import { type MxInput, toMxValue } from "./values.js";

/** How to add items. */
export interface AddBulkOptions extends CallOptions {
  /** A number of your own for each of them, see `AddOptions`; empty for none. */
  readonly clientHandles?: Iterable<number>;
}

/** How to read. */
export interface ReadOptions extends CallOptions {
  /** Limit for each tag without a cached value in milliseconds; 0 for the worker's default. */
  readonly tagTimeoutMs?: number;
}

/** One entry of a bulk write. */
export interface WriteEntry {
  readonly itemHandle: number;
  readonly value: MxInput;
  readonly userId?: number;
}
/** One entry of a bulk write with a source time. */
export interface Write2Entry extends WriteEntry {
  readonly timestamp: Moment;
}
/** One entry of a signed bulk write. */
export interface WriteSecuredEntry {
  readonly itemHandle: number;
  readonly value: MxInput;
  readonly currentUserId: number;
  readonly verifierUserId: number;
}
/** One entry of a signed bulk write with a source time. */
export interface WriteSecured2Entry extends WriteSecuredEntry {
  readonly timestamp: Moment;
}

type HandleArm = "adviseItemBulk" | "removeItemBulk" | "unAdviseItemBulk" | "unsubscribeBulk";
type BulkArm =
  | ("addItemBulk" | "subscribeBulk" | "readBulk" | HandleArm)
  | ("writeBulk" | "write2Bulk" | "writeSecuredBulk" | "writeSecured2Bulk");
type ResultOf<A extends BulkArm> = PayloadOf<A>["results"][number];

/** The eleven bulk commands. Each takes at most `maxBulkItems` entries. */
export abstract class BulkCommands extends ItemCommands {
  /** Entries that one bulk command may have: what the gateway told, or MAX_BULK_ITEMS where it told nothing. */
  abstract get maxBulkItems(): number;

  /** Adds an item for each reference; like all bulk calls it answers entry by entry, in order. */
  async addItemBulk(
    serverHandle: number,
    tagAddresses: Iterable<string>,
    call: AddBulkOptions = {},
  ): Promise<SubscribeResult[]> {
    const added = numbered(tagAddresses, call.clientHandles ?? [], this.maxBulkItems);
    return await this.#each("addItemBulk", added.tagAddresses, { ...on(serverHandle), ...added }, call);
  }

  /** Adds and advises an item for each reference. */
  async subscribeBulk(
    serverHandle: number,
    tagAddresses: Iterable<string>,
    call: AddBulkOptions = {},
  ): Promise<SubscribeResult[]> {
    const added = numbered(tagAddresses, call.clientHandles ?? [], this.maxBulkItems);
    return await this.#each("subscribeBulk", added.tagAddresses, { ...on(serverHandle), ...added }, call);
  }

  /** Advises each item. */
  async adviseItemBulk(
    serverHandle: number,
    itemHandles: Iterable<number>,
    call?: CallOptions,
  ): Promise<SubscribeResult[]> {
    return await this.#eachItem("adviseItemBulk", serverHandle, itemHandles, call);
  }

  /** Un-advises each item; the items stay. */
  async unadviseItemBulk(
    serverHandle: number,
    itemHandles: Iterable<number>,
    call?: CallOptions,
  ): Promise<SubscribeResult[]> {
    return await this.#eachItem("unAdviseItemBulk", serverHandle, itemHandles, call);
  }

  /** Removes each item. */
  async removeItemBulk(
    serverHandle: number,
    itemHandles: Iterable<number>,
    call?: CallOptions,
  ): Promise<SubscribeResult[]> {
    return await this.#eachItem("removeItemBulk", serverHandle, itemHandles, call);
  }

  /** Un-advises and removes each item. */
  async unsubscribeBulk(
    serverHandle: number,
    itemHandles: Iterable<number>,
    call?: CallOptions,
  ): Promise<SubscribeResult[]> {
    return await this.#eachItem("unsubscribeBulk", serverHandle, itemHandles, call);
  }

  /** Reads each tag once; an advised one answers from its last OnDataChange (`wasCached`). */
  async readBulk(
    serverHandle: number,
    tagAddresses: Iterable<string>,
    call: ReadOptions = {},
  ): Promise<BulkReadResult[]> {
    const timeoutMs = uint32(call.tagTimeoutMs ?? 0, "tagTimeoutMs");
    const tags = bulkEntries(tagAddresses, "tagAddresses", this.maxBulkItems);
    return await this.#each("readBulk", tags, { ...on(serverHandle), tagAddresses: tags, timeoutMs }, call);
  }

  /** Writes each entry; completions come as OnWriteComplete events. `userId` is that of entries without one. */
  async writeBulk(
    serverHandle: number,
    entries: Iterable<WriteEntry>,
    call: UserOptions = {},
  ): Promise<BulkWriteResult[]> {
    const found = bulkEntries(entries, "entries", this.maxBulkItems).map((each) => written(each, call));
    return await this.#each("writeBulk", found, { ...on(serverHandle), entries: found }, call);
  }

  /** Writes each entry with its source time. */
  async write2Bulk(
    serverHandle: number,
    entries: Iterable<Write2Entry>,
    call: UserOptions = {},
  ): Promise<BulkWriteResult[]> {
    const found = bulkEntries(entries, "entries", this.maxBulkItems).map((each) => ({
      ...written(each, call),
      ...stamped(each),
    }));
    return await this.#each("write2Bulk", found, { ...on(serverHandle), entries: found }, call);
  }

  /** Writes each entry in the name of its users. */
  async writeSecuredBulk(
    serverHandle: number,
    entries: Iterable<WriteSecuredEntry>,
    call?: CallOptions,
  ): Promise<BulkWriteResult[]> {
    const found = bulkEntries(entries, "entries", this.maxBulkItems).map(signed);
    return await this.#each("writeSecuredBulk", found, { ...on(serverHandle), entries: found }, call);
  }

  /** Writes each entry in the name of its users, with its source time. */
  async writeSecured2Bulk(
    serverHandle: number,
    entries: Iterable<WriteSecured2Entry>,
    call?: CallOptions,
  ): Promise<BulkWriteResult[]> {
    const found = bulkEntries(entries, "entries", this.maxBulkItems).map((each) => ({
      ...signed(each),
      ...stamped(each),
    }));
    return await this.#each("writeSecured2Bulk", found, { ...on(serverHandle), entries: found }, call);
  }

  async #eachItem(
    arm: HandleArm,
    serverHandle: number,
    given: Iterable<number>,
    call: CallOptions | undefined,
  ): Promise<SubscribeResult[]> {
    const itemHandles = bulkEntries(given, "itemHandles", this.maxBulkItems).map((each) => int32(each, "itemHandles"));
    return await this.#each(arm, itemHandles, { ...on(serverHandle), itemHandles }, call);
  }

  /** Runs a bulk command. Results are matched to entries by position: a wrong count would put them on the wrong tags. */
  async #each<A extends BulkArm>(
    arm: A,
    entries: readonly unknown[],
    fields: CommandFields<A>,
    call: CallOptions | undefined,
  ): Promise<ResultOf<A>[]> {
    const reply = await this.run(arm, fields, call);
    const results = payload(reply, arm).results as ResultOf<A>[];
    if (results.length === entries.length) return results;
    throw new MxGatewayProtocolError(`${arm}: ${results.length} results came back for ${entries.length} entries`, {
      rawReply: reply,
      protocolStatus: reply.protocolStatus,
      correlationId: reply.correlationId,
    });
  }
}

function on(serverHandle: number): { serverHandle: number } {
  return { serverHandle: int32(serverHandle, "serverHandle") };
}

function numbered(
  tags: Iterable<string>,
  numbers: Iterable<number>,
  most: number,
): { tagAddresses: string[]; clientHandles: number[] } {
  const tagAddresses = bulkEntries(tags, "tagAddresses", most);
  const clientHandles = bulkEntries(numbers, "clientHandles", most).map((each) => uint32(each, "clientHandles"));
  if (clientHandles.length > 0 && clientHandles.length !== tagAddresses.length)
    throw new TypeError(`clientHandles has ${clientHandles.length} entries for ${tagAddresses.length} tags`);
  return { tagAddresses, clientHandles };
}

/** An entry with the user that it names, or else that of the call. */
function written(each: WriteEntry, call: UserOptions) {
  const userId = int32(each.userId ?? call.userId ?? 0, "userId");
  return { itemHandle: int32(each.itemHandle, "itemHandle"), value: toMxValue(each.value), userId };
}

function signed(each: WriteSecuredEntry) {
  const people = users(each.currentUserId, each.verifierUserId);
  return { itemHandle: int32(each.itemHandle, "itemHandle"), ...people, value: toMxValue(each.value) };
}

function stamped(each: { readonly timestamp: Moment }) {
  return { timestampValue: momentValue(each.timestamp) };
}
