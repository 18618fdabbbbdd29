/** Commands on streams, alarms and the Galaxy. */

import { type DescMessage, type JsonObject, type Message, type MessageShape, create } from "@bufbuild/protobuf";

import { nextCorrelationId } from "../correlation.js";
import { nameOf } from "../enums.js";
import {
  AttributeOrigin,
  DeployEventSchema,
  type GalaxyObject,
  GalaxyObjectSchema,
} from "../gen/galaxy_repository_pb.js";
import {
  AcknowledgeAlarmReplySchema,
  AcknowledgeAlarmRequestSchema,
  ActiveAlarmSnapshotSchema,
  AlarmAckOutcome,
  AlarmFeedMessageSchema,
  AlarmOrder,
  MxEventSchema,
  QueryActiveAlarmsRequestSchema,
  StreamAlarmsRequestSchema,
} from "../gen/mxaccess_gateway_pb.js";
import type { GalaxyFilter } from "../galaxy.js";
import { isStatusFailure } from "../quality.js";
import { LIMITS } from "../tables.js";
import { MxTime } from "../time.js";
import { messageJson } from "./json.js";
import { CommandFailure, UsageError } from "./outcomes.js";
import type { Run } from "./run.js";
import type { Handler } from "./sessionCommands.js";
import { eventText } from "./texts.js";

/** Outcomes after which an alarm is acknowledged, or will be. */
const ACKNOWLEDGED: ReadonlySet<AlarmAckOutcome> = new Set([
  AlarmAckOutcome.ACKNOWLEDGED,
  AlarmAckOutcome.ACCEPTED,
  AlarmAckOutcome.ALREADY_ACKNOWLEDGED,
]);

/** Prints messages until enough came, the time is over, or somebody interrupts: all of them ordinary ends. */
async function follow<T extends Message>(
  run: Run,
  stream: AsyncIterable<T> & { close(): void },
  schema: DescMessage,
  maximum: number | undefined,
  text: (message: T) => string,
): Promise<JsonObject[]> {
  const collected: JsonObject[] = [];
  const most = run.isJson ? Math.min(maximum ?? LIMITS.maxAggregateEvents, LIMITS.maxAggregateEvents) : maximum;
  const stop = (): void => {
    stream.close();
  };
  const timer = run.durationMs === undefined ? undefined : setTimeout(stop, run.durationMs);
  if (run.signal.aborted) stop();
  run.signal.addEventListener("abort", stop, { once: true });
  let count = 0;
  try {
    for await (const message of stream) {
      const document = run.isJson || run.flag("jsonl") ? messageJson(schema, message as never) : {};
      if (run.isJson) collected.push(document);
      else run.output.out(run.flag("jsonl") ? JSON.stringify(document) : text(message));
      count += 1;
      if (count === most) break;
    }
  } finally {
    clearTimeout(timer);
    run.signal.removeEventListener("abort", stop);
  }
  return collected;
}

function filterOf(run: Run): GalaxyFilter {
  const origins = run.optional<readonly string[]>("origin") ?? [];
  return {
    ...run.call,
    historizedOnly: run.flag("historized-only"),
    alarmBearingOnly: run.flag("alarm-bearing-only"),
    includeAttributes: !run.flag("no-attributes"),
    includeAncestors: run.flag("ancestors"),
    tagNameGlob: run.text("glob"),
    templateChainContains: run.optional<readonly string[]>("template") ?? [],
    categoryIds: run.optional<readonly number[]>("category") ?? [],
    attributeOrigins: origins.map(
      (each) => AttributeOrigin[each.toUpperCase().replace("-", "_") as keyof typeof AttributeOrigin],
    ),
  };
}

function objectLine(each: GalaxyObject): string {
  const name = each.browseName || each.tagName;
  const shown = (name === each.tagName ? name : `${name} (${each.tagName})`) + (each.isArea ? "/" : "");
  return [shown, ...each.templateChain.slice(0, 1), `${each.attributes.length} attributes`].join("  ");
}

function timeText(stamp: MessageShape<typeof DeployEventSchema>["timeOfLastDeploy"]): string {
  return (stamp && MxTime.fromTimestamp(stamp)?.toString()) ?? "never";
}

/** Handlers by command. */
export const OTHER_COMMANDS: Readonly<Record<string, Handler>> = {
  "stream-events": async (run) => {
    const sessionId = run.text("session-id");
    const events = await run.gateway((client) => {
      const stream = client
        .attachSession(sessionId)
        .events({ afterWorkerSequence: run.number("after-worker-sequence") });
      return follow(run, stream, MxEventSchema, run.optional<number>("max-events"), eventText);
    });
    if (run.isJson) run.emit({ sessionId, events }, "");
  },
  "galaxy-test-connection": async (run) => {
    const ok = await run.galaxy((galaxy) => galaxy.testConnection(run.call));
    run.emit({ ok }, ok ? "reachable" : "not reachable");
    if (!ok) throw new CommandFailure("");
  },
  "galaxy-last-deploy": async (run) => {
    const time = await run.galaxy((galaxy) => galaxy.lastDeployTime(run.call));
    const text = time?.toString() ?? "never";
    run.emit({ present: time !== undefined, timeOfLastDeploy: time === undefined ? null : text }, text);
  },
  "galaxy-discover": async (run) => {
    const limit = run.optional<number>("limit") ?? Infinity;
    const [root, rootContainedPath, maxDepth] = [
      run.optional<string>("root"),
      run.optional<string>("root-contained-path"),
      run.optional<number>("max-depth"),
    ];
    const found = await run.galaxy(async (galaxy) => {
      const objects: GalaxyObject[] = [];
      const options = {
        ...filterOf(run),
        ...(root === undefined ? {} : { root }),
        ...(rootContainedPath === undefined ? {} : { rootContainedPath }),
        ...(maxDepth === undefined ? {} : { maxDepth }),
      };
      for await (const each of galaxy.objects(options)) {
        objects.push(each);
        if (objects.length >= limit) break;
      }
      return objects;
    });
    run.emit({ objects: found.map((each) => messageJson(GalaxyObjectSchema, each)) }, found.map(objectLine));
  },
  "galaxy-browse": async (run) => {
    const containedPath = run.optional<string>("contained-path");
    const nodes = await run.galaxy((galaxy) =>
      galaxy.browse(run.optional<string>("parent"), {
        ...filterOf(run),
        ...(containedPath === undefined ? {} : { containedPath }),
      }),
    );
    const children = nodes.map((each) => messageJson(GalaxyObjectSchema, each.object));
    const lines = nodes.map((each) => objectLine(each.object) + (each.hasChildrenHint ? " …" : ""));
    run.emit({ children, childHasChildren: nodes.map((each) => each.hasChildrenHint) }, lines);
  },
  "galaxy-watch": async (run) => {
    const events = await run.galaxy((galaxy) =>
      follow(
        run,
        galaxy.watchDeployEvents(run.optional<MxTime>("last-seen-deploy-time")),
        DeployEventSchema,
        run.optional<number>("max-events"),
        (event) =>
          `#${event.sequence} deploy=${timeText(event.timeOfLastDeploy)} objects=${event.objectCount} attributes=${event.attributeCount}`,
      ),
    );
    if (run.isJson) run.emit({ events }, "");
  },
  "query-active-alarms": async (run) => {
    const request = create(QueryActiveAlarmsRequestSchema, {
      clientCorrelationId: nextCorrelationId(),
      alarmFilterPrefix: run.text("filter-prefix"),
      limit: run.number("limit"),
      order: AlarmOrder.PRIORITY,
    });
    const alarms = await run.gateway(async (client) => {
      const found: MessageShape<typeof ActiveAlarmSnapshotSchema>[] = [];
      for await (const each of client.queryActiveAlarms(request, run.call)) found.push(each);
      return found;
    });
    run.emit(
      { alarms: alarms.map((each) => messageJson(ActiveAlarmSnapshotSchema, each)) },
      alarms.map((each) => `${each.severity} ${each.alarmFullReference} ${each.description}`),
    );
  },
  "stream-alarms": async (run) => {
    const request = create(StreamAlarmsRequestSchema, {
      clientCorrelationId: nextCorrelationId(),
      alarmFilterPrefix: run.text("filter-prefix"),
    });
    const messages = await run.gateway((client) =>
      follow(
        run,
        client.streamAlarms(request),
        AlarmFeedMessageSchema,
        run.optional<number>("max-messages"),
        (message) => JSON.stringify(messageJson(AlarmFeedMessageSchema, message)),
      ),
    );
    if (run.isJson) run.emit({ messages }, "");
  },
  "acknowledge-alarm": async (run) => {
    const references = run.optional<readonly string[]>("reference") ?? [];
    const [alarmFullReference = ""] = references;
    if (references.length !== 1) throw new UsageError("give one --reference");
    const request = create(AcknowledgeAlarmRequestSchema, {
      clientCorrelationId: nextCorrelationId(),
      alarmFullReference,
      comment: run.text("comment"),
      operatorUser: run.text("operator"),
      waitForTransition: { seconds: run.flag("no-wait") ? 0n : 3n },
    });
    const reply = await run.gateway((client) => client.acknowledgeAlarm(request, run.call));
    const outcome = (nameOf(AlarmAckOutcome, reply.outcome) ?? "?").toLowerCase().replaceAll("_", " ");
    run.emit(messageJson(AcknowledgeAlarmReplySchema, reply), `${outcome} ${reply.alarmFullReference}`.trim());
    // The original gateway says no outcome; its HRESULT does.
    const isDone =
      reply.outcome === AlarmAckOutcome.UNSPECIFIED
        ? (reply.hresult ?? 0) >= 0 && !(reply.status && isStatusFailure(reply.status))
        : ACKNOWLEDGED.has(reply.outcome);
    if (!isDone) throw new CommandFailure("");
  },
};
