/**
 * The bulk commands: many entries in one round trip, one result for each, in the order given.
 *
 * An entry that fails has `wasSuccessful` false and never throws; only a call that fails as a whole does.
 */

import { type CommandFields, bulkEntries, int32 } from "./commands.js";
import { MxGatewayProtocolError } from "./errors.js";
import type { BulkReadResult, BulkWriteResult, MxCommandReply, SubscribeResult } from "./gen/mxaccess_gateway_pb.js";
import { ItemCommands, MAX_UINT32, type Moment, type UserOptions, momentValue, users } from "./itemCommands.js";
import { type ReplyArm, payload } from "./replies.js";
import type { CallOptions } from "./transport.js";
import { type MxInput, toMxValue } from "./values.js";

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

type SubscribeArm =
  "addItemBulk" | "adviseItemBulk" | "removeItemBulk" | "unAdviseItemBulk" | "subscribeBulk" | "unsubscribeBulk";
type WriteArm = "writeBulk" | "write2Bulk" | "writeSecuredBulk" | "writeSecured2Bulk";

/** The eleven bulk commands. Each takes at most MAX_BULK_ITEMS entries. */
export abstract class BulkCommands extends ItemCommands {
  /** Adds an item for each reference; like all bulk calls it answers entry by entry, in order. */
  async addItemBulk(
    serverHandle: number,
    tagAddresses: Iterable<string>,
    call?: CallOptions,
  ): Promise<SubscribeResult[]> {
    return await this.#byName("addItemBulk", serverHandle, tagAddresses, call);
  }

  /** Adds and advises an item for each reference. */
  async subscribeBulk(
    serverHandle: number,
    tagAddresses: Iterable<string>,
    call?: CallOptions,
  ): Promise<SubscribeResult[]> {
    return await this.#byName("subscribeBulk", serverHandle, tagAddresses, call);
  }

  async adviseItemBulk(
    serverHandle: number,
    itemHandles: Iterable<number>,
    call?: CallOptions,
  ): Promise<SubscribeResult[]> {
    return await this.#byHandle("adviseItemBulk", serverHandle, itemHandles, call);
  }

  async unadviseItemBulk(
    serverHandle: number,
    itemHandles: Iterable<number>,
    call?: CallOptions,
  ): Promise<SubscribeResult[]> {
    return await this.#byHandle("unAdviseItemBulk", serverHandle, itemHandles, call);
  }

  async removeItemBulk(
    serverHandle: number,
    itemHandles: Iterable<number>,
    call?: CallOptions,
  ): Promise<SubscribeResult[]> {
    return await this.#byHandle("removeItemBulk", serverHandle, itemHandles, call);
  }

  /** Un-advises and removes each item. */
  async unsubscribeBulk(
    serverHandle: number,
    itemHandles: Iterable<number>,
    call?: CallOptions,
  ): Promise<SubscribeResult[]> {
    return await this.#byHandle("unsubscribeBulk", serverHandle, itemHandles, call);
  }

  /** Reads each tag once; an advised one answers from its last OnDataChange (`wasCached`). */
  async readBulk(
    serverHandle: number,
    tagAddresses: Iterable<string>,
    call: ReadOptions = {},
  ): Promise<BulkReadResult[]> {
    const timeoutMs = call.tagTimeoutMs ?? 0;
    if (!Number.isInteger(timeoutMs) || timeoutMs < 0 || timeoutMs > MAX_UINT32) {
      throw new RangeError(`tagTimeoutMs is ${timeoutMs}; it needs to be 0 (the worker's default) or more`);
    }
    const tags = bulkEntries(tagAddresses, "tagAddresses");
    const fields = { serverHandle: int32(serverHandle, "serverHandle"), tagAddresses: tags, timeoutMs };
    const reply = await this.run("readBulk", fields, call);
    return counted(reply, "readBulk", payload(reply, "readBulk").results, tags.length);
  }

  /** Writes each entry; completions come as OnWriteComplete events. `userId` is that of entries without one. */
  async writeBulk(
    serverHandle: number,
    entries: Iterable<WriteEntry>,
    call: UserOptions = {},
  ): Promise<BulkWriteResult[]> {
    const found = bulkEntries(entries, "entries").map((each) => ({
      itemHandle: int32(each.itemHandle, "itemHandle"),
      value: toMxValue(each.value),
      userId: int32(each.userId ?? call.userId ?? 0, "userId"),
    }));
    return await this.#writes(
      "writeBulk",
      { serverHandle: int32(serverHandle, "serverHandle"), entries: found },
      found.length,
      call,
    );
  }

  /** Writes each entry with its source time. */
  async write2Bulk(
    serverHandle: number,
    entries: Iterable<Write2Entry>,
    call: UserOptions = {},
  ): Promise<BulkWriteResult[]> {
    const found = bulkEntries(entries, "entries").map((each) => ({
      itemHandle: int32(each.itemHandle, "itemHandle"),
      value: toMxValue(each.value),
      timestampValue: momentValue(each.timestamp),
      userId: int32(each.userId ?? call.userId ?? 0, "userId"),
    }));
    return await this.#writes(
      "write2Bulk",
      { serverHandle: int32(serverHandle, "serverHandle"), entries: found },
      found.length,
      call,
    );
  }

  /** Writes each entry in the name of its users. */
  async writeSecuredBulk(
    serverHandle: number,
    entries: Iterable<WriteSecuredEntry>,
    call?: CallOptions,
  ): Promise<BulkWriteResult[]> {
    const found = bulkEntries(entries, "entries").map((each) => ({
      itemHandle: int32(each.itemHandle, "itemHandle"),
      ...users(each.currentUserId, each.verifierUserId),
      value: toMxValue(each.value),
    }));
    return await this.#writes(
      "writeSecuredBulk",
      { serverHandle: int32(serverHandle, "serverHandle"), entries: found },
      found.length,
      call,
    );
  }

  /** Writes each entry in the name of its users, with its source time. */
  async writeSecured2Bulk(
    serverHandle: number,
    entries: Iterable<WriteSecured2Entry>,
    call?: CallOptions,
  ): Promise<BulkWriteResult[]> {
    const found = bulkEntries(entries, "entries").map((each) => ({
      itemHandle: int32(each.itemHandle, "itemHandle"),
      ...users(each.currentUserId, each.verifierUserId),
      value: toMxValue(each.value),
      timestampValue: momentValue(each.timestamp),
    }));
    return await this.#writes(
      "writeSecured2Bulk",
      { serverHandle: int32(serverHandle, "serverHandle"), entries: found },
      found.length,
      call,
    );
  }

  async #byName(
    arm: "addItemBulk" | "subscribeBulk",
    handle: number,
    tags: Iterable<string>,
    call: CallOptions | undefined,
  ): Promise<SubscribeResult[]> {
    const tagAddresses = bulkEntries(tags, "tagAddresses");
    return await this.#subscribed(
      arm,
      { serverHandle: int32(handle, "serverHandle"), tagAddresses },
      tagAddresses.length,
      call,
    );
  }

  async #byHandle(
    arm: Exclude<SubscribeArm, "addItemBulk" | "subscribeBulk">,
    handle: number,
    handles: Iterable<number>,
    call: CallOptions | undefined,
  ): Promise<SubscribeResult[]> {
    const itemHandles = bulkEntries(handles, "itemHandles").map((each) => int32(each, "itemHandles"));
    return await this.#subscribed(
      arm,
      { serverHandle: int32(handle, "serverHandle"), itemHandles },
      itemHandles.length,
      call,
    );
  }

  async #subscribed<A extends SubscribeArm>(
    arm: A,
    fields: CommandFields<A>,
    count: number,
    call: CallOptions | undefined,
  ): Promise<SubscribeResult[]> {
    const reply = await this.run(arm, fields, call);
    return counted(reply, arm, payload(reply, arm).results, count);
  }

  async #writes<A extends WriteArm>(
    arm: A,
    fields: CommandFields<A>,
    count: number,
    call: CallOptions | undefined,
  ): Promise<BulkWriteResult[]> {
    const reply = await this.run(arm, fields, call);
    return counted(reply, arm, payload(reply, arm).results, count);
  }
}

/** Results are matched to entries by position, so a wrong count would put values on the wrong tags. */
function counted<T>(reply: MxCommandReply, arm: ReplyArm, results: T[], sent: number): T[] {
  if (results.length === sent) return results;
  throw new MxGatewayProtocolError(`${arm}: ${results.length} results came back for ${sent} entries`, {
    rawReply: reply,
    protocolStatus: reply.protocolStatus,
    correlationId: reply.correlationId,
  });
}
