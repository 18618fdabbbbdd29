/** Operations of the subject on clients, sessions, streams, subscriptions and the Galaxy. */

import { type DescMessage, type JsonObject, type JsonValue, type Message, fromJson } from "@bufbuild/protobuf";

import { nameOf } from "../src/enums.js";
import { DeployEventSchema, GalaxyObjectSchema } from "../src/gen/galaxy_repository_pb.js";
import {
  AcknowledgeAlarmReplySchema,
  AcknowledgeAlarmRequestSchema,
  AcknowledgeAlarmsReplySchema,
  AcknowledgeAlarmsRequestSchema,
  BackpressurePolicy,
  BulkReadResultSchema,
  BulkWriteResultSchema,
  CloseSessionReplySchema,
  CloseSessionRequestSchema,
  MxCommandReplySchema,
  MxCommandRequestSchema,
  MxCommandSchema,
  MxEventSchema,
  MxStatusProxySchema,
  MxValueSchema,
  OpenSessionReplySchema,
  OpenSessionRequestSchema,
  QueryActiveAlarmsRequestSchema,
  SessionState,
  StreamAlarmsRequestSchema,
  SubscribeResultSchema,
  WorkerInfoReplySchema,
} from "../src/gen/mxaccess_gateway_pb.js";
import {
  type AddBulkOptions,
  type AddOptions,
  type BrowseNode,
  type CallOptions,
  type ClientOptions,
  EventStream,
  GalaxyClient,
  GatewayClient,
  type HierarchyOptions,
  MxTime,
  Session,
  type SubscribeOptions,
  Subscription,
  type SubscriptionState,
} from "../src/index.js";
import { type Args, asJson, schemaOf, tagged, writable } from "./native.js";

interface Closable {
  close(): unknown;
}

/** What the case has made, by name. */
export class Objects {
  readonly found = new Map<string, unknown>();

  async reset(): Promise<void> {
    const objects = [...this.found.values()].reverse();
    this.found.clear();
    for (const each of objects) {
      // Sessions end with their connection; a case counts what it closes itself.
      if (each instanceof Session) continue;
      await Promise.resolve((each as Partial<Closable>).close?.()).catch(() => undefined);
    }
  }
}

/** The object of an operation, the name of the one that it makes, its arguments and its cancelling. */
export interface Step {
  readonly objects: Objects;
  readonly on: string;
  readonly as: string;
  readonly args: Args;
  readonly call: CallOptions;
}

type Operation = (step: Step) => Promise<JsonObject> | JsonObject;

function it<T>(step: Step): T {
  if (!step.objects.found.has(step.on)) throw new TypeError(`there is no object ${step.on}`);
  return step.objects.found.get(step.on) as T;
}

function keep(step: Step, made: unknown): JsonObject {
  step.objects.found.set(step.as, made);
  return {};
}

const ms = (seconds: JsonValue | undefined): number | undefined =>
  seconds === undefined || seconds === null ? undefined : Number(seconds) * 1000;

/** Leaves out what is not given: exactOptionalPropertyTypes wants it absent. */
function given<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

function optionsOf(args: Args): ClientOptions {
  const retry = args["retry"] as JsonObject | undefined;
  return given<ClientOptions>({
    endpoint: args["endpoint"] as string,
    apiKey: args["api_key"] as string | undefined,
    plaintext: args["plaintext"] as boolean | undefined,
    caFile: args["ca_file"] as string | undefined,
    serverNameOverride: args["server_name_override"] as string | undefined,
    connectTimeoutMs: ms(args["connect_timeout"]),
    callTimeoutMs: ms(args["call_timeout"]),
    streamTimeoutMs: ms(args["stream_timeout"]),
    shutdownTimeoutMs: ms(args["shutdown_timeout"]),
    maxMessageBytes: args["max_message_bytes"] as number | undefined,
    keepaliveTimeMs: ms(args["keepalive_time"]),
    keepaliveTimeoutMs: ms(args["keepalive_timeout"]),
    retry:
      retry &&
      given<NonNullable<ClientOptions["retry"]>>({
        maxAttempts: retry["max_attempts"] as number | undefined,
        initialDelayMs: ms(retry["initial_delay"]),
        maxDelayMs: ms(retry["max_delay"]),
      }),
    clientCertificateFile: undefined,
    clientKeyFile: undefined,
  });
}

function policyOf(value: JsonValue | undefined): BackpressurePolicy | undefined {
  if (value === undefined) return undefined;
  return BackpressurePolicy[(value as string).replace("BACKPRESSURE_POLICY_", "") as keyof typeof BackpressurePolicy];
}

function filterOf({ args, call }: Step): HierarchyOptions & { containedPath?: string } {
  return given<HierarchyOptions & { containedPath?: string }>({
    root: args["root"] as string | number | undefined,
    rootContainedPath: args["root_contained_path"] as string | undefined,
    containedPath: args["contained_path"] as string | undefined,
    maxDepth: args["max_depth"] as number | undefined,
    pageSize: args["page_size"] as number | undefined,
    categoryIds: args["category_ids"] as number[] | undefined,
    templateChainContains: args["template_chain_contains"] as string[] | undefined,
    tagNameGlob: args["tag_name_glob"] as string | undefined,
    includeAttributes: args["include_attributes"] as boolean | undefined,
    alarmBearingOnly: args["alarm_bearing_only"] as boolean | undefined,
    historizedOnly: args["historized_only"] as boolean | undefined,
    attributeOrigins: undefined,
    includeAncestors: args["include_ancestors"] as boolean | undefined,
    signal: call.signal,
    timeoutMs: call.timeoutMs,
    correlationId: undefined,
  });
}

const session = (step: Step): Session => it<Session>(step);
const number = (step: Step, name: string): number => step.args[name] as number;
const text = (step: Step, name: string): string => step.args[name] as string;
const moment = (step: Step): MxTime => MxTime.parse(text(step, "timestamp"));
const numberOf = (step: Step): AddOptions => ({
  ...step.call,
  ...given<AddOptions>({ clientHandle: step.args["client_handle"] as number | undefined }),
});
const userId = (step: Step): { userId?: number } =>
  given<{ userId?: number }>({ userId: step.args["user_id"] as number | undefined });

function results(schema: DescMessage, found: readonly Message[]): JsonObject {
  return { results: found.map((each) => asJson(schema, each)) };
}

function entries(step: Step): never {
  const found = step.args["entries"];
  if (!Array.isArray(found)) return found as never;
  return found.map((entry) => {
    if (entry === null) return null;
    const { item_handle, value, user_id, timestamp, current_user_id, verifier_user_id } = entry as JsonObject;
    return given<object>({
      itemHandle: item_handle,
      value: writable(value ?? null),
      userId: user_id,
      timestamp: timestamp === undefined ? undefined : MxTime.parse(timestamp as string),
      currentUserId: current_user_id,
      verifierUserId: verifier_user_id,
    });
  }) as never;
}

const byName =
  (call: "addItemBulk" | "subscribeBulk"): Operation =>
  async (step) =>
    results(
      SubscribeResultSchema,
      await session(step)[call](number(step, "server_handle"), step.args["tag_addresses"] as string[], {
        ...step.call,
        ...given<AddBulkOptions>({ clientHandles: step.args["client_handles"] as number[] | undefined }),
      }),
    );
const byHandle =
  (call: "adviseItemBulk" | "unadviseItemBulk" | "removeItemBulk" | "unsubscribeBulk"): Operation =>
  async (step) =>
    results(
      SubscribeResultSchema,
      await session(step)[call](number(step, "server_handle"), step.args["item_handles"] as number[], step.call),
    );
const writes =
  (call: "writeBulk" | "write2Bulk" | "writeSecuredBulk" | "writeSecured2Bulk"): Operation =>
  async (step) =>
    results(
      BulkWriteResultSchema,
      await session(step)[call](number(step, "server_handle"), entries(step), { ...step.call, ...userId(step) }),
    );
const onItem =
  (call: "removeItem" | "advise" | "adviseSupervisory" | "unadvise"): Operation =>
  async (step) => {
    await session(step)[call](number(step, "server_handle"), number(step, "item_handle"), step.call);
    return {};
  };
const status =
  (call: "suspend" | "activate"): Operation =>
  async (step) => ({
    status: asJson(
      MxStatusProxySchema,
      await session(step)[call](number(step, "server_handle"), number(step, "item_handle"), step.call),
    ),
  });

const ITEM_SCHEMAS = new Map<string, DescMessage>([["galaxy_repository.v1.DeployEvent", DeployEventSchema]]);

function itemJson(item: Message): JsonObject {
  const schema = ITEM_SCHEMAS.get(item.$typeName) ?? schemaOf(item.$typeName.split(".").at(-1) ?? "");
  return asJson(schema, item);
}

async function next(step: Step): Promise<JsonObject> {
  const source = it<AsyncIterator<Message>>(step);
  const count = (step.args["count"] as number | undefined) ?? 1;
  if (source instanceof Subscription) return await nextChanges(source, count, step.call.signal);
  const items: JsonObject[] = [];
  let taken = 0;
  let end = false;
  while (taken < count) {
    const found = await cancellable(source.next(), step.call.signal, () => void source.return?.());
    if (found.done) {
      end = true;
      break;
    }
    taken += 1;
    if (!step.args["discard"]) items.push(itemJson(found.value));
  }
  const answer: JsonObject = { items, taken, end };
  if (source instanceof EventStream) {
    answer["last_worker_sequence"] = source.lastWorkerSequence.toString();
    answer["dropped_events"] = source.droppedEvents.toString();
  }
  return answer;
}

async function nextChanges(source: Subscription, count: number, signal: AbortSignal | undefined): Promise<JsonObject> {
  const changes: JsonObject[] = [];
  let end = false;
  while (changes.length < count) {
    const found = await cancellable(source.next(), signal, () => undefined);
    if (found.done) {
      end = true;
      break;
    }
    const change = found.value;
    changes.push({
      tag: change.tag,
      value: tagged(change.raw.value),
      quality: change.quality,
      worker_sequence: change.workerSequence.toString(),
      replayed: change.replayed,
      recovered: change.recovered,
      lost_before: change.lostBefore,
      ...(change.sourceTimestamp === undefined ? {} : { source_timestamp: change.sourceTimestamp.toString() }),
    });
  }
  return { changes, end };
}

/** Takes so many events or changes by the cheapest way: what the bench measures. */
async function takeAll(step: Step): Promise<JsonObject> {
  const source = it<EventStream | Subscription>(step);
  const count = step.args["count"] as number;
  let taken = 0;
  if (source instanceof Subscription) {
    while (taken < count && !(await source.next()).done) taken += 1;
    return { taken };
  }
  for await (const batch of source.batches()) if ((taken += batch.length) >= count) break;
  return { taken };
}

/** So many pings or reads, some of them at once, and the median of how long one took. */
async function burst(step: Step): Promise<JsonObject> {
  let left = step.args["count"] as number;
  const tags = step.args["tag_addresses"] as string[] | undefined;
  const took: number[] = [];
  const one = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const began = performance.now();
      if (tags) await session(step).readBulk(number(step, "server_handle"), tags, step.call);
      else await session(step).ping("burst", step.call);
      took.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: step.args["at_once"] as number }, one));
  took.sort((a, b) => a - b);
  return { p50_ms: took[took.length >> 1] ?? 0 };
}

/** The language's own cancelling of a step that waits: its signal. */
async function cancellable<T>(work: Promise<T>, signal: AbortSignal | undefined, stop: () => void): Promise<T> {
  if (signal === undefined) return await work;
  return await new Promise<T>((resolve, reject) => {
    const onAbort = (): void => {
      stop();
      reject(signal.reason as Error);
    };
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => {
      signal.removeEventListener("abort", onAbort);
    });
  });
}

function nodes(found: readonly BrowseNode[]): JsonObject {
  return {
    children: found.map((each) => ({
      object: asJson(GalaxyObjectSchema, each.object),
      has_children_hint: each.hasChildrenHint,
      is_expanded: each.isExpanded,
    })),
  };
}

/** Operations on objects, by name. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  connect: async (step) =>
    keep(
      step,
      await GatewayClient.connect({
        ...optionsOf(step.args),
        ...given<{ signal?: AbortSignal }>({ signal: step.call.signal }),
      }),
    ),
  connect_lazy: (step) => keep(step, new GatewayClient(optionsOf(step.args))),
  connect_galaxy: async (step) => keep(step, await GalaxyClient.connect(optionsOf(step.args))),
  close: async (step) => {
    const target = it<Closable>(step);
    if (target instanceof Session) return asJson(CloseSessionReplySchema, await target.close(step.call));
    await target.close();
    return {};
  },
  drop: (step) => {
    step.objects.found.delete(step.on);
    return {};
  },
  connection_state: (step) => ({ state: it<GatewayClient>(step).connectionState }),
  open_session: async (step) => {
    const { args } = step;
    const opened = await it<GatewayClient>(step).openSession({
      ...step.call,
      clientSessionName: (args["client_session_name"] as string | undefined) ?? "",
      requestedBackend: (args["requested_backend"] as string | undefined) ?? "",
      backendOptions: (args["backend_options"] as Record<string, string> | undefined) ?? {},
      ...given<{ commandTimeoutMs?: number; backpressurePolicy?: BackpressurePolicy }>({
        commandTimeoutMs: ms(args["command_timeout"]),
        backpressurePolicy: policyOf(args["backpressure_policy"]),
      }),
    });
    keep(step, opened);
    return { session_id: opened.id, capabilities: [...opened.capabilities].sort() };
  },
  attach_session: (step) =>
    keep(
      step,
      it<GatewayClient>(step).attachSession(
        text(step, "session_id"),
        (step.args["capabilities"] as string[] | undefined) ?? [],
      ),
    ),
  open_session_raw: async (step) =>
    asJson(
      OpenSessionReplySchema,
      await it<GatewayClient>(step).openSessionRaw(
        fromJson(OpenSessionRequestSchema, step.args["request"] ?? {}),
        step.call,
      ),
    ),
  close_session_raw: async (step) =>
    asJson(
      CloseSessionReplySchema,
      await it<GatewayClient>(step).closeSessionRaw(
        fromJson(CloseSessionRequestSchema, step.args["request"] ?? {}),
        step.call,
      ),
    ),
  invoke: (step) => invoke(step, "invoke"),
  invoke_raw: (step) => invoke(step, "invokeRaw"),
  acknowledge_alarm: async (step) =>
    asJson(
      AcknowledgeAlarmReplySchema,
      await it<GatewayClient>(step).acknowledgeAlarm(
        fromJson(AcknowledgeAlarmRequestSchema, step.args["request"] ?? {}),
        step.call,
      ),
    ),
  acknowledge_alarms: async (step) =>
    asJson(
      AcknowledgeAlarmsReplySchema,
      await it<GatewayClient>(step).acknowledgeAlarms(
        fromJson(AcknowledgeAlarmsRequestSchema, step.args["request"] ?? {}),
        step.call,
      ),
    ),
  query_active_alarms: (step) =>
    keep(
      step,
      it<GatewayClient>(step).queryActiveAlarms(fromJson(QueryActiveAlarmsRequestSchema, step.args["request"] ?? {}), {
        timeoutMs: step.call.timeoutMs,
      }),
    ),
  stream_alarms: (step) =>
    keep(
      step,
      it<GatewayClient>(step).streamAlarms(fromJson(StreamAlarmsRequestSchema, step.args["request"] ?? {}), {
        timeoutMs: step.call.timeoutMs,
      }),
    ),

  state: async (step) => ({
    state: `SESSION_STATE_${nameOf(SessionState, await session(step).state(step.call)) ?? ""}`,
  }),
  ping: async (step) => ({
    message: await session(step).ping((step.args["message"] as string | undefined) ?? "", step.call),
  }),
  burst,
  worker_info: async (step) => asJson(WorkerInfoReplySchema, await session(step).workerInfo(step.call)),
  drain_events: async (step) => ({
    events: (await session(step).drainEvents((step.args["max_events"] as number | undefined) ?? 0, step.call)).map(
      (each) => asJson(MxEventSchema, each),
    ),
  }),
  shutdown_worker: async (step) => {
    await session(step).shutdownWorker(ms(step.args["grace_period"]), step.call);
    return {};
  },
  inject_fault: async (step) => {
    await session(step).injectFault(
      text(step, "fault"),
      (step.args["parameters"] as Record<string, string> | undefined) ?? {},
      step.call,
    );
    return {};
  },
  register: async (step) => ({ server_handle: await session(step).register(text(step, "client_name"), step.call) }),
  unregister: async (step) => {
    await session(step).unregister(number(step, "server_handle"), step.call);
    return {};
  },
  add_item: async (step) => ({
    item_handle: await session(step).addItem(
      number(step, "server_handle"),
      text(step, "item_definition"),
      numberOf(step),
    ),
  }),
  add_item2: async (step) => ({
    item_handle: await session(step).addItem2(
      number(step, "server_handle"),
      text(step, "item_definition"),
      text(step, "item_context"),
      numberOf(step),
    ),
  }),
  add_buffered_item: async (step) => ({
    item_handle: await session(step).addBufferedItem(
      number(step, "server_handle"),
      text(step, "item_definition"),
      text(step, "item_context"),
      numberOf(step),
    ),
  }),
  remove_item: onItem("removeItem"),
  advise: onItem("advise"),
  advise_supervisory: onItem("adviseSupervisory"),
  unadvise: onItem("unadvise"),
  suspend: status("suspend"),
  activate: status("activate"),
  set_buffered_update_interval: async (step) => {
    await session(step).setBufferedUpdateInterval(
      number(step, "server_handle"),
      number(step, "update_interval_milliseconds"),
      step.call,
    );
    return {};
  },
  write: async (step) => {
    const value = writable(step.args["value"] ?? null);
    await session(step).write(number(step, "server_handle"), number(step, "item_handle"), value, {
      ...step.call,
      ...userId(step),
    });
    return {};
  },
  write2: async (step) => {
    const value = writable(step.args["value"] ?? null);
    await session(step).write2(number(step, "server_handle"), number(step, "item_handle"), value, moment(step), {
      ...step.call,
      ...userId(step),
    });
    return {};
  },
  write_secured: async (step) => {
    const value = writable(step.args["value"] ?? null);
    const people = [number(step, "current_user_id"), number(step, "verifier_user_id")] as const;
    await session(step).writeSecured(
      number(step, "server_handle"),
      number(step, "item_handle"),
      ...people,
      value,
      step.call,
    );
    return {};
  },
  write_secured2: async (step) => {
    const value = writable(step.args["value"] ?? null);
    const people = [number(step, "current_user_id"), number(step, "verifier_user_id")] as const;
    await session(step).writeSecured2(
      number(step, "server_handle"),
      number(step, "item_handle"),
      ...people,
      value,
      moment(step),
      step.call,
    );
    return {};
  },
  authenticate_user: async (step) => ({
    user_id: await session(step).authenticateUser(
      number(step, "server_handle"),
      text(step, "verify_user"),
      text(step, "verify_user_password"),
      step.call,
    ),
  }),
  archestra_user_to_id: async (step) => ({
    user_id: await session(step).archestraUserToId(
      number(step, "server_handle"),
      text(step, "user_id_guid"),
      step.call,
    ),
  }),
  write_and_confirm: async (step) => {
    const { args } = step;
    const outcome = await session(step).writeAndConfirm(
      text(step, "tag"),
      writable(args["value"] ?? null),
      given<object>({
        serverHandle: args["server_handle"],
        userId: args["user_id"],
        verifierId: args["verifier_id"],
        supervisory: args["supervisory"],
        timeoutMs: ms(args["timeout"]),
        signal: step.call.signal,
      }),
    );
    return {
      value: asJson(MxValueSchema, outcome.value),
      before: asJson(MxEventSchema, outcome.before),
      completion: asJson(MxEventSchema, outcome.completion),
    };
  },
  add_item_bulk: byName("addItemBulk"),
  subscribe_bulk: byName("subscribeBulk"),
  advise_item_bulk: byHandle("adviseItemBulk"),
  unadvise_item_bulk: byHandle("unadviseItemBulk"),
  remove_item_bulk: byHandle("removeItemBulk"),
  unsubscribe_bulk: byHandle("unsubscribeBulk"),
  read_bulk: async (step) => {
    const options = {
      ...step.call,
      ...given<{ tagTimeoutMs?: number }>({ tagTimeoutMs: step.args["timeout_ms"] as number | undefined }),
    };
    return results(
      BulkReadResultSchema,
      await session(step).readBulk(number(step, "server_handle"), step.args["tag_addresses"] as string[], options),
    );
  },
  write_bulk: writes("writeBulk"),
  write2_bulk: writes("write2Bulk"),
  write_secured_bulk: writes("writeSecuredBulk"),
  write_secured2_bulk: writes("writeSecured2Bulk"),

  stream_events: (step) => {
    const { args } = step;
    const options = given<{
      afterWorkerSequence?: bigint;
      fromBeginning?: boolean;
      backpressurePolicy?: BackpressurePolicy;
      recoverGaps?: boolean;
      timeoutMs?: number;
    }>({
      afterWorkerSequence:
        args["after_worker_sequence"] === undefined ? undefined : BigInt(args["after_worker_sequence"] as string),
      fromBeginning: args["from_beginning"] as boolean | undefined,
      backpressurePolicy: policyOf(args["backpressure_policy"]),
      recoverGaps: args["recover_gaps"] as boolean | undefined,
      timeoutMs: step.call.timeoutMs,
    });
    return keep(step, session(step).events(options));
  },
  next,
  take_all: takeAll,
  next_batch: async (step) => {
    const found = await it<EventStream>(step).batches().next();
    return found.done ? { size: 0, end: true } : { size: found.value.length };
  },
  subscribe: async (step) => {
    const { args } = step;
    const target = it<Session | GatewayClient>(step);
    const options = given<SubscribeOptions>({
      queueSize: args["queue_size"] as number | undefined,
      overflow: args["overflow"] as SubscribeOptions["overflow"],
      supervisory: args["supervisory"] as boolean | undefined,
      reconnect: args["reconnect"] as boolean | undefined,
      firstDelayMs: ms(args["first_delay"]),
      signal: undefined,
      onWarning: undefined,
    });
    const subscription = target.subscribe(args["tags"] as string[], options);
    keep(step, subscription);
    await subscription.start();
    return {};
  },
  add: async (step) => {
    await it<Subscription>(step).add(step.args["tags"] as string[]);
    return {};
  },
  remove: async (step) => {
    await it<Subscription>(step).remove(step.args["tags"] as string[]);
    return {};
  },
  wait_state: async (step) => {
    const source = it<Subscription>(step);
    for await (const state of source.states()) if (state === (step.args["state"] as SubscriptionState)) return {};
    return { state: source.state };
  },
  stats: (step) => {
    const source = it<Subscription>(step);
    const { gaps, lost, dropped, interruptions, newSessions, waiting } = source.stats;
    return {
      state: source.state,
      tags: [...source.tags],
      failures: Object.fromEntries(source.failures),
      gaps,
      lost,
      dropped,
      interruptions,
      new_sessions: newSessions,
      waiting,
    };
  },

  test_connection: async (step) => ({ ok: await it<GalaxyClient>(step).testConnection(step.call) }),
  get_last_deploy_time: async (step) => {
    const time = await it<GalaxyClient>(step).lastDeployTime(step.call);
    return time === undefined ? { present: false } : { present: true, time: Number(time.seconds) + time.nanos / 1e9 };
  },
  discover_hierarchy: async (step) => ({
    objects: (await it<GalaxyClient>(step).discoverHierarchy(filterOf(step))).map((each) =>
      asJson(GalaxyObjectSchema, each),
    ),
  }),
  iter_hierarchy: (step) => keep(step, it<GalaxyClient>(step).objects(filterOf(step))),
  browse: async (step) => {
    const found = await it<GalaxyClient>(step).browse(
      step.args["parent"] as string | number | undefined,
      filterOf(step),
    );
    if (step.as) keep(step, found);
    return nodes(found);
  },
  expand: async (step) => {
    const node = it<BrowseNode[]>(step)[(step.args["index"] as number | undefined) ?? 0];
    if (node === undefined) throw new TypeError("there is no such node");
    const [found = []] = await Promise.all(
      Array.from({ length: (step.args["times"] as number | undefined) ?? 1 }, () => node.expand()),
    );
    return nodes(found);
  },
  watch_deploy_events: (step) => {
    const lastSeen = step.args["last_seen_deploy_time"];
    return keep(
      step,
      it<GalaxyClient>(step).watchDeployEvents(lastSeen === undefined ? undefined : MxTime.parse(lastSeen as string)),
    );
  },
};

async function invoke(step: Step, how: "invoke" | "invokeRaw"): Promise<JsonObject> {
  const target = it<GatewayClient | Session>(step);
  const reply =
    target instanceof Session
      ? await target[how](fromJson(MxCommandSchema, step.args["command"] ?? {}), step.call)
      : await target[how](fromJson(MxCommandRequestSchema, step.args["request"] ?? {}), step.call);
  return asJson(MxCommandReplySchema, reply);
}
