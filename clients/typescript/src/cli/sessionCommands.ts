/** Commands on sessions, items, users and writes. */

import type { JsonObject } from "@bufbuild/protobuf";
import { type MessageShape, type DescMessage } from "@bufbuild/protobuf";

import { nameOf } from "../enums.js";
import { type CommandArm, type CommandFields, bulkEntries, command } from "../commands.js";
import type { GatewayClient } from "../client.js";
import {
  BulkReadResultSchema,
  type BulkReadResult,
  BulkWriteResultSchema,
  CloseSessionReplySchema,
  MxCommandReplySchema,
  MxEventSchema,
  MxStatusProxySchema,
  type MxValue,
  OpenSessionReplySchema,
  SessionState,
  SubscribeResultSchema,
  WorkerInfoReplySchema,
} from "../gen/mxaccess_gateway_pb.js";
import { isStatusFailure, qualityName, statusText } from "../quality.js";
import type { Session } from "../session.js";
import { toMxValue } from "../values.js";
import { messageJson } from "./json.js";
import { CommandFailure, UsageError } from "./outcomes.js";
import type { Run } from "./run.js";
import { valueText } from "./texts.js";
import { parseValue } from "./valueParsing.js";

export type Handler = (run: Run) => Promise<void>;

async function inSession<T>(run: Run, work: (session: Session, client: GatewayClient) => Promise<T>): Promise<T> {
  return await run.gateway((client) => work(client.attachSession(run.text("session-id")), client));
}

function emitMessage<D extends DescMessage>(run: Run, schema: D, message: MessageShape<D>, line: string): void {
  run.emit(messageJson(schema, message), line);
}

/** A command without a result of its own: prints the reply. */
function plain<A extends CommandArm>(arm: A, fields: (run: Run) => CommandFields<A>, line = "ok"): Handler {
  return async (run) => {
    const wanted = command(arm, fields(run));
    emitMessage(run, MxCommandReplySchema, await inSession(run, (session) => session.invoke(wanted, run.call)), line);
  };
}

const server = (run: Run): { serverHandle: number } => ({ serverHandle: run.number("server-handle") });
const item = (run: Run): { serverHandle: number; itemHandle: number } => ({
  ...server(run),
  itemHandle: run.number("item-handle"),
});
const value = (run: Run): MxValue => parseValue(run.text("value"), run.text("type"), "--value");
const people = (run: Run): { currentUserId: number; verifierUserId: number } => ({
  currentUserId: run.number("current-user-id"),
  verifierUserId: run.optional<number>("verifier-user-id") ?? run.number("current-user-id"),
});
const SENT = "sent; the outcome comes as OnWriteComplete";

function added(call: (session: Session, run: Run) => Promise<number>): Handler {
  return async (run) => {
    const itemHandle = await inSession(run, (session) => call(session, run));
    run.emit(
      { sessionId: run.text("session-id"), serverHandle: run.number("server-handle"), itemHandle },
      String(itemHandle),
    );
  };
}

function status(call: "suspend" | "activate"): Handler {
  return async (run) => {
    const { serverHandle, itemHandle } = item(run);
    const found = await inSession(run, (session) => session[call](serverHandle, itemHandle, run.call));
    run.emit({ status: messageJson(MxStatusProxySchema, found) }, statusText(found));
  };
}

// -------------------------------------------------------------------------------------------------------------- bulk

/** The elements of a text with commas between, with CSV quoting. */
function listOf(text: string, flag: string): string[] {
  if (text === "") return [];
  const found: string[] = [];
  for (let rest = text; ;) {
    const quoted = /^\s*"((?:[^"]|"")*)"\s*(,|$)/.exec(rest);
    const comma = rest.indexOf(",");
    if (quoted !== null) {
      found.push((quoted[1] ?? "").replaceAll('""', '"'));
      if (quoted[2] !== ",") break;
      rest = rest.slice(quoted[0].length);
    } else {
      found.push((comma < 0 ? rest : rest.slice(0, comma)).trim());
      if (comma < 0) break;
      rest = rest.slice(comma + 1);
    }
  }
  if (flag === "--items" && found.includes(""))
    throw new UsageError(`--items: '${text}' has an empty reference between its commas`);
  return found;
}

function handlesOf(run: Run): number[] {
  const text = run.text("item-handles");
  return listOf(text, "--item-handles").map((each) => {
    if (!/^[+-]?\d+$/.test(each)) throw new UsageError(`--item-handles: '${text}' is no list of handles such as 1,2,3`);
    return Number(each);
  });
}

function entriesOf(run: Run): { itemHandle: number; value: MxValue }[] {
  const handles = handlesOf(run);
  const texts = listOf(run.text("values"), "--values");
  if (handles.length !== texts.length) {
    throw new UsageError(
      `--item-handles has ${handles.length} entries, --values ${texts.length}; their numbers have to match`,
    );
  }
  return handles.map((itemHandle, index) => ({
    itemHandle,
    value: parseValue(texts[index] ?? "", run.text("type"), "--values"),
  }));
}

interface Entry {
  readonly wasSuccessful: boolean;
  readonly itemHandle: number;
  readonly errorMessage: string;
  readonly tagAddress?: string;
}

function bulk<T extends Entry>(
  schema: DescMessage,
  call: (session: Session, run: Run) => Promise<readonly T[]>,
): Handler {
  return async (run) => {
    const found = await inSession(run, (session) => call(session, run));
    const results = found.map((each) => messageJson(schema, each as never));
    run.emit({ results }, found.map(line));
  };
}

function line(result: Entry): string {
  const name = result.tagAddress || `item ${result.itemHandle}`;
  if (!result.wasSuccessful) return `${name}: failed: ${result.errorMessage || "no reason given"}`;
  if ("wasCached" in result) {
    const read = result as unknown as BulkReadResult;
    return `${name}: ${valueText(read.value)} ${qualityName(read.quality)}${read.wasCached ? " (cached)" : ""}`;
  }
  return `${name}: ok, handle ${result.itemHandle}`;
}

const byName = (call: "subscribeBulk" | "addItemBulk"): Handler =>
  bulk(SubscribeResultSchema, (session, run) =>
    session[call](run.number("server-handle"), bulkEntries(listOf(run.text("items"), "--items"), "--items"), run.call),
  );
const byHandle = (call: "unsubscribeBulk" | "adviseItemBulk" | "unadviseItemBulk" | "removeItemBulk"): Handler =>
  bulk(SubscribeResultSchema, (session, run) => session[call](run.number("server-handle"), handlesOf(run), run.call));

/** Handlers by command. */
export const SESSION_COMMANDS: Readonly<Record<string, Handler>> = {
  "open-session": async (run) => {
    const seconds = run.optional<number>("command-timeout");
    const session = await run.gateway((client) =>
      client.openSession({
        ...run.call,
        clientSessionName: run.text("client-session-name"),
        requestedBackend: run.text("backend"),
        // Whoever opens a session here uses it with another command, on another connection.
        keepWhenDisconnected: true,
        ...(seconds === undefined ? {} : { commandTimeoutMs: seconds * 1000 }),
      }),
    );
    emitMessage(run, OpenSessionReplySchema, session.raw, session.id);
  },
  "close-session": async (run) => {
    const reply = await inSession(run, (session) => session.close(run.call));
    emitMessage(run, CloseSessionReplySchema, reply, nameOf(SessionState, reply.finalState) ?? "?");
  },
  "session-state": async (run) => {
    const state = nameOf(SessionState, await inSession(run, (session) => session.state(run.call))) ?? "?";
    run.emit({ sessionId: run.text("session-id"), state: `SESSION_STATE_${state}` }, state);
  },
  ping: async (run) => {
    const wanted = command("ping", { message: run.text("message") });
    const reply = await inSession(run, (session) => session.invoke(wanted, run.call));
    emitMessage(run, MxCommandReplySchema, reply, reply.diagnosticMessage);
  },
  "worker-info": async (run) => {
    const info = await inSession(run, (session) => session.workerInfo(run.call));
    emitMessage(
      run,
      WorkerInfoReplySchema,
      info,
      `${info.backendName} ${info.workerVersion}, process ${info.workerProcessId}`,
    );
  },
  "drain-events": async (run) => {
    const events = await inSession(run, (session) => session.drainEvents(run.number("max-events"), run.call));
    run.emit({ events: events.map((each) => messageJson(MxEventSchema, each)) }, `${events.length} events`);
  },
  register: async (run) => {
    const serverHandle = await inSession(run, (session) => session.register(run.text("client-name"), run.call));
    run.emit({ sessionId: run.text("session-id"), serverHandle }, String(serverHandle));
  },
  unregister: plain("unregister", server),
  "add-item": added((session, run) => session.addItem(run.number("server-handle"), run.text("item"), run.call)),
  "add-item2": added((session, run) =>
    session.addItem2(run.number("server-handle"), run.text("item"), run.text("context"), run.call),
  ),
  "add-buffered-item": added((session, run) =>
    session.addBufferedItem(run.number("server-handle"), run.text("item"), run.text("context"), run.call),
  ),
  "remove-item": plain("removeItem", item),
  advise: plain("advise", item),
  "advise-supervisory": plain("adviseSupervisory", item),
  unadvise: plain("unAdvise", item),
  suspend: status("suspend"),
  activate: status("activate"),
  "set-buffered-update-interval": plain("setBufferedUpdateInterval", (run) => ({
    ...server(run),
    updateIntervalMilliseconds: run.number("milliseconds"),
  })),
  write: plain("write", (run) => ({ ...item(run), value: value(run), userId: run.number("user-id") }), SENT),
  write2: plain(
    "write2",
    (run) => ({
      ...item(run),
      value: value(run),
      timestampValue: toMxValue(run.time("timestamp")),
      userId: run.number("user-id"),
    }),
    SENT,
  ),
  "write-secured": plain("writeSecured", (run) => ({ ...item(run), ...people(run), value: value(run) }), SENT),
  "write-secured2": plain(
    "writeSecured2",
    (run) => ({ ...item(run), ...people(run), value: value(run), timestampValue: toMxValue(run.time("timestamp")) }),
    SENT,
  ),
  "authenticate-user": async (run) => {
    const variable = run.optional<string>("password-env");
    const password = variable === undefined ? undefined : process.env[variable];
    if (password === undefined)
      throw new UsageError(
        variable === undefined
          ? "give --password-env: the variable that holds the password"
          : `the environment variable ${variable} (--password-env) is not set`,
      );
    const userId = await inSession(run, (session) =>
      session.authenticateUser(run.number("server-handle"), run.text("user"), password, run.call),
    );
    run.emit({ sessionId: run.text("session-id"), userId }, String(userId));
  },
  "archestra-user-to-id": async (run) => {
    const userId = await inSession(run, (session) =>
      session.archestraUserToId(run.number("server-handle"), run.text("guid"), run.call),
    );
    run.emit({ sessionId: run.text("session-id"), userId }, String(userId));
  },
  "read-bulk": bulk(BulkReadResultSchema, (session, run) =>
    session.readBulk(run.number("server-handle"), listOf(run.text("items"), "--items"), {
      ...run.call,
      tagTimeoutMs: run.number("timeout-ms"),
    }),
  ),
  "subscribe-bulk": byName("subscribeBulk"),
  "add-item-bulk": byName("addItemBulk"),
  "unsubscribe-bulk": byHandle("unsubscribeBulk"),
  "advise-item-bulk": byHandle("adviseItemBulk"),
  "unadvise-item-bulk": byHandle("unadviseItemBulk"),
  "remove-item-bulk": byHandle("removeItemBulk"),
  "write-bulk": bulk(BulkWriteResultSchema, (session, run) =>
    session.writeBulk(run.number("server-handle"), entriesOf(run), { ...run.call, userId: run.number("user-id") }),
  ),
  "write2-bulk": bulk(BulkWriteResultSchema, (session, run) => {
    const entries = entriesOf(run).map((each) => ({ ...each, timestamp: run.time("timestamp") }));
    return session.write2Bulk(run.number("server-handle"), entries, { ...run.call, userId: run.number("user-id") });
  }),
  "write-secured-bulk": bulk(BulkWriteResultSchema, (session, run) =>
    session.writeSecuredBulk(
      run.number("server-handle"),
      entriesOf(run).map((each) => ({ ...each, ...people(run) })),
      run.call,
    ),
  ),
  "write-secured2-bulk": bulk(BulkWriteResultSchema, (session, run) => {
    const entries = entriesOf(run).map((each) => ({ ...each, ...people(run), timestamp: run.time("timestamp") }));
    return session.writeSecured2Bulk(run.number("server-handle"), entries, run.call);
  }),
  smoke,
};

async function smoke(run: Run): Promise<void> {
  const wanted = run.optional<string>("value") === undefined ? undefined : value(run);
  const report: Record<string, unknown> = { language: "typescript", operation: "smoke" };
  const lines: string[] = [];
  let refused: string | undefined;
  await run.gateway(async (client) => {
    const session = await client.openSession({ ...run.call, clientSessionName: run.text("client-name") });
    report["sessionId"] = session.id;
    report["isSimulated"] = session.isSimulated;
    try {
      const serverHandle = await session.register(run.text("client-name"), run.call);
      report["serverHandle"] = serverHandle;
      const itemHandle = await session.addItem(serverHandle, run.text("item"), run.call);
      report["itemHandle"] = itemHandle;
      const events: JsonObject[] = [];
      const stream = session.events(run.call);
      await session.advise(serverHandle, itemHandle, run.call);
      let wrote = false;
      let completion: JsonObject | undefined;
      for await (const event of stream) {
        const isCompletion = event.body.case === "onWriteComplete";
        if (isCompletion) completion = messageJson(MxEventSchema, event);
        else if (events.length < run.number("max-events")) events.push(messageJson(MxEventSchema, event));
        refused ??= event.statuses.filter(isStatusFailure).map(statusText)[0];
        lines.push(`${event.body.case ?? "event"} ${valueText(event.value)}`);
        if (wanted !== undefined && !wrote) {
          wrote = true;
          await session.write(serverHandle, itemHandle, wanted, run.call);
        }
        if (events.length >= run.number("max-events") && (wanted === undefined || completion !== undefined)) break;
      }
      report["events"] = events;
      if (completion !== undefined) report["writeCompletion"] = completion;
      await session.unadvise(serverHandle, itemHandle, run.call);
      await session.removeItem(serverHandle, itemHandle, run.call);
      await session.unregister(serverHandle, run.call);
    } finally {
      const closed = await session.close();
      report["closeStatus"] = `SESSION_STATE_${nameOf(SessionState, closed.finalState) ?? "UNSPECIFIED"}`;
    }
  });
  report["keySource"] = run.keySource;
  run.emit(report, [...lines, `session ${String(report["sessionId"])} ${String(report["closeStatus"])}`]);
  if (refused !== undefined)
    throw new CommandFailure(`the gateway works, but ${run.text("item")} does not: ${refused}`);
}
