/** The commands of LMXProxyServer that work on one item, and the gateway's control commands. */

import { create } from "@bufbuild/protobuf";

import { type CommandArm, type CommandFields, command, int32, uint32 } from "./commands.js";
import {
  type MxCommand,
  type MxCommandReply,
  type MxEvent,
  type MxStatusProxy,
  MxStatusProxySchema,
  type SessionState,
  type WorkerInfoReply,
} from "./gen/mxaccess_gateway_pb.js";
import { payload } from "./replies.js";
import { MxTime, durationOf } from "./time.js";
import type { CallOptions } from "./transport.js";
import { type MxInput, toMxValue } from "./values.js";

/** A user, where a call takes one; 0 is no user. */
export interface UserOptions extends CallOptions {
  /** From `authenticateUser`. */
  readonly userId?: number;
}

/** A number of one's own for an item that is added. */
export interface AddOptions extends CallOptions {
  /**
   * 1 to 2³² − 1: every event of the item carries it, also one that comes before the reply, where the gateway has the
   * capability `client-handles`. 0 is none.
   */
  readonly clientHandle?: number;
}

/** Source time of a timestamped write. */
export type Moment = Date | MxTime;

/** LMXProxyServer, method by method. Handles are those of MXAccess: positive, 0 is none. */
export abstract class ItemCommands {
  /** Runs a command and checks the reply in full. */
  abstract invoke(wanted: MxCommand, call?: CallOptions): Promise<MxCommandReply>;

  /** Runs the command of an arm's fields. */
  protected async run<A extends CommandArm>(
    arm: A,
    fields: CommandFields<A>,
    call: CallOptions | undefined,
  ): Promise<MxCommandReply> {
    return await this.invoke(command(arm, fields), call);
  }

  /** Registers a client with MXAccess; returns the server handle that all other calls need. */
  async register(clientName: string, call?: CallOptions): Promise<number> {
    return payload(await this.run("register", { clientName }, call), "register").serverHandle;
  }

  /** Ends a registration. Un-advise and remove its items first. */
  async unregister(serverHandle: number, call?: CallOptions): Promise<void> {
    await this.run("unregister", { serverHandle: int32(serverHandle, "serverHandle") }, call);
  }

  /** Adds an item; returns its handle. MXAccess takes any text: whether it exists shows by its first OnDataChange. */
  async addItem(serverHandle: number, itemDefinition: string, call: AddOptions = {}): Promise<number> {
    const fields = {
      serverHandle: int32(serverHandle, "serverHandle"),
      itemDefinition,
      clientHandle: uint32(call.clientHandle ?? 0, "clientHandle"),
    };
    return payload(await this.run("addItem", fields, call), "addItem").itemHandle;
  }

  /** Adds an item by a reference that may start from an object; returns its handle. */
  async addItem2(
    serverHandle: number,
    itemDefinition: string,
    itemContext: string,
    call: AddOptions = {},
  ): Promise<number> {
    const fields = {
      serverHandle: int32(serverHandle, "serverHandle"),
      itemDefinition,
      itemContext,
      clientHandle: uint32(call.clientHandle ?? 0, "clientHandle"),
    };
    return payload(await this.run("addItem2", fields, call), "addItem2").itemHandle;
  }

  /** Adds an item whose values come in OnBufferedDataChange events; returns its handle. */
  async addBufferedItem(
    serverHandle: number,
    itemDefinition: string,
    itemContext: string,
    call: AddOptions = {},
  ): Promise<number> {
    const fields = {
      serverHandle: int32(serverHandle, "serverHandle"),
      itemDefinition,
      itemContext,
      clientHandle: uint32(call.clientHandle ?? 0, "clientHandle"),
    };
    return payload(await this.run("addBufferedItem", fields, call), "addBufferedItem").itemHandle;
  }

  /** Removes an item. Wait for its pending OnWriteComplete first, and un-advise it. */
  async removeItem(serverHandle: number, itemHandle: number, call?: CallOptions): Promise<void> {
    await this.run("removeItem", item(serverHandle, itemHandle), call);
  }

  /** Subscribes to an item's changes on a user connection: the current value comes at once, as OnDataChange. */
  async advise(serverHandle: number, itemHandle: number, call?: CallOptions): Promise<void> {
    await this.run("advise", item(serverHandle, itemHandle), call);
  }

  /** Subscribes on a supervisory connection: no user needed, and operator actions are not attributed to a person. */
  async adviseSupervisory(serverHandle: number, itemHandle: number, call?: CallOptions): Promise<void> {
    await this.run("adviseSupervisory", item(serverHandle, itemHandle), call);
  }

  /** Ends a subscription (UnAdvise). Events that were under way may still arrive after it returned. */
  async unadvise(serverHandle: number, itemHandle: number, call?: CallOptions): Promise<void> {
    await this.run("unAdvise", item(serverHandle, itemHandle), call);
  }

  /** Suspends an advised item; OperationComplete tells the outcome. */
  async suspend(serverHandle: number, itemHandle: number, call?: CallOptions): Promise<MxStatusProxy> {
    const { status } = payload(await this.run("suspend", item(serverHandle, itemHandle), call), "suspend");
    return status ?? create(MxStatusProxySchema);
  }

  /** Resumes a suspended item; its current value is sent again. */
  async activate(serverHandle: number, itemHandle: number, call?: CallOptions): Promise<MxStatusProxy> {
    const { status } = payload(await this.run("activate", item(serverHandle, itemHandle), call), "activate");
    return status ?? create(MxStatusProxySchema);
  }

  /** Sets how often buffered items deliver; MXAccess rounds up to a multiple of 100 ms. */
  async setBufferedUpdateInterval(serverHandle: number, milliseconds: number, call?: CallOptions): Promise<void> {
    const updateIntervalMilliseconds = int32(milliseconds, "milliseconds");
    await this.run(
      "setBufferedUpdateInterval",
      { serverHandle: int32(serverHandle, "serverHandle"), updateIntervalMilliseconds },
      call,
    );
  }

  /**
   * Writes a value. Returns as soon as MXAccess took it: the outcome comes as OnWriteComplete. Never repeated by itself.
   *
   * The item has to be advised and its first OnDataChange seen, else MXAccess answers E_INVALIDARG.
   */
  async write(serverHandle: number, itemHandle: number, value: MxInput, call: UserOptions = {}): Promise<void> {
    const userId = int32(call.userId ?? 0, "userId");
    await this.run("write", { ...item(serverHandle, itemHandle), value: toMxValue(value), userId }, call);
  }

  /** Writes a value with a source time of its own; otherwise like `write`. */
  async write2(
    serverHandle: number,
    itemHandle: number,
    value: MxInput,
    timestamp: Moment,
    call: UserOptions = {},
  ): Promise<void> {
    const userId = int32(call.userId ?? 0, "userId");
    const timestampValue = momentValue(timestamp);
    await this.run(
      "write2",
      { ...item(serverHandle, itemHandle), value: toMxValue(value), timestampValue, userId },
      call,
    );
  }

  /** Writes to a secured or verified attribute in the name of one or two authenticated users. */
  async writeSecured(
    serverHandle: number,
    itemHandle: number,
    currentUserId: number,
    verifierUserId: number,
    value: MxInput,
    call?: CallOptions,
  ): Promise<void> {
    const fields = {
      ...item(serverHandle, itemHandle),
      ...users(currentUserId, verifierUserId),
      value: toMxValue(value),
    };
    await this.run("writeSecured", fields, call);
  }

  /** `writeSecured` with a source time of its own. */
  async writeSecured2(
    serverHandle: number,
    itemHandle: number,
    currentUserId: number,
    verifierUserId: number,
    value: MxInput,
    timestamp: Moment,
    call?: CallOptions,
  ): Promise<void> {
    const fields = {
      ...item(serverHandle, itemHandle),
      ...users(currentUserId, verifierUserId),
      value: toMxValue(value),
    };
    await this.run("writeSecured2", { ...fields, timestampValue: momentValue(timestamp) }, call);
  }

  /** Checks a user's credentials; returns a user id for writes with this server handle. */
  async authenticateUser(
    serverHandle: number,
    verifyUser: string,
    verifyUserPassword: string,
    call?: CallOptions,
  ): Promise<number> {
    const fields = { serverHandle: int32(serverHandle, "serverHandle"), verifyUser, verifyUserPassword };
    return payload(await this.run("authenticateUser", fields, call), "authenticateUser").userId;
  }

  /** The user id of an ArchestrA user by its GUID, without a password. */
  async archestraUserToId(serverHandle: number, userIdGuid: string, call?: CallOptions): Promise<number> {
    const fields = { serverHandle: int32(serverHandle, "serverHandle"), userIdGuid };
    return payload(await this.run("archestraUserToId", fields, call), "archestraUserToId").userId;
  }

  /** Sends a text through gateway and worker; returns what came back. */
  async ping(message = "", call?: CallOptions): Promise<string> {
    return (await this.run("ping", { message }, call)).diagnosticMessage;
  }

  /** The session's state as the gateway sees it. */
  async state(call?: CallOptions): Promise<SessionState> {
    return payload(await this.run("getSessionState", {}, call), "getSessionState").state;
  }

  /** Process id, version and backend of the session's worker. */
  async workerInfo(call?: CallOptions): Promise<WorkerInfoReply> {
    return payload(await this.run("getWorkerInfo", {}, call), "getWorkerInfo");
  }

  /** Takes the events that wait for this session, at most `maxEvents`, 0 for all; for diagnosis, not for streams. */
  async drainEvents(maxEvents = 0, call?: CallOptions): Promise<MxEvent[]> {
    return payload(await this.run("drainEvents", { maxEvents: uint32(maxEvents, "maxEvents") }, call), "drainEvents")
      .events;
  }

  /** Asks the worker to end in order; for diagnosis. `close` is the ordinary way. */
  async shutdownWorker(graceMs = 10_000, call?: CallOptions): Promise<void> {
    await this.run("shutdownWorker", { gracePeriod: durationOf(graceMs) }, call);
  }

  /** Makes the simulator misbehave as named, for tests; refused unless the gateway allows it. */
  async injectFault(
    fault: string,
    parameters: Readonly<Record<string, string>> = {},
    call?: CallOptions,
  ): Promise<void> {
    await this.run("injectFault", { fault, parameters: { ...parameters } }, call);
  }
}

function item(serverHandle: number, itemHandle: number): { serverHandle: number; itemHandle: number } {
  return { serverHandle: int32(serverHandle, "serverHandle"), itemHandle: int32(itemHandle, "itemHandle") };
}

export function users(
  currentUserId: number,
  verifierUserId: number,
): { currentUserId: number; verifierUserId: number } {
  return {
    currentUserId: int32(currentUserId, "currentUserId"),
    verifierUserId: int32(verifierUserId, "verifierUserId"),
  };
}

export function momentValue(timestamp: Moment): ReturnType<typeof toMxValue> {
  // A caller without a compiler may give anything.
  if (!(timestamp instanceof Date) && !(timestamp instanceof MxTime))
    throw new TypeError("a timestamp is a Date or an MxTime");
  return toMxValue(timestamp);
}
