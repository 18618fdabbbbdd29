/** The client of the Galaxy service: objects, attributes, and news of deployments. */

import { type DescMessage, type MessageInitShape, type MessageShape, create } from "@bufbuild/protobuf";

import { MxGatewayProtocolError } from "./errors.js";
import {
  type AttributeOrigin,
  type BrowseChildrenReply,
  type BrowseChildrenRequest,
  BrowseChildrenRequestSchema,
  type DeployEvent,
  type DiscoverHierarchyReply,
  type DiscoverHierarchyRequest,
  DiscoverHierarchyRequestSchema,
  type GalaxyObject,
  GalaxyRepository,
  GetLastDeployTimeRequestSchema,
  TestConnectionRequestSchema,
  WatchDeployEventsRequestSchema,
} from "./gen/galaxy_repository_pb.js";
import type { ClientOptions } from "./options.js";
import { MxTime } from "./time.js";
import { type CallOptions, type ConnectionState, type Method, type ServerStream, Transport } from "./transport.js";

/** Which objects and attributes. */
export interface GalaxyFilter extends CallOptions {
  readonly categoryIds?: readonly number[];
  /** Names that the chain of templates has to contain. */
  readonly templateChainContains?: readonly string[];
  readonly tagNameGlob?: string;
  /** The gateway's default when it is left out. */
  readonly includeAttributes?: boolean;
  readonly alarmBearingOnly?: boolean;
  readonly historizedOnly?: boolean;
  readonly attributeOrigins?: readonly AttributeOrigin[];
  /** Also objects that only lead to those that pass. */
  readonly includeAncestors?: boolean;
}

/** Where to begin, and how deep to go. */
export interface HierarchyOptions extends GalaxyFilter {
  /** gobject id or tag name; the whole Galaxy without it. */
  readonly root?: number | string;
  /** Browse names joined by `/`, in place of `root`. */
  readonly rootContainedPath?: string;
  /** Levels below the root; all without it. */
  readonly maxDepth?: number;
  readonly pageSize?: number;
}

const { method } = GalaxyRepository;

/** Browse of a Galaxy. */
export class GalaxyClient {
  readonly #transport: Transport;

  /** Makes a client without connecting; the first call does. */
  constructor(options: ClientOptions) {
    this.#transport = new Transport(options);
  }

  /** Connects; throws as `GatewayClient.connect` does. */
  static async connect(options: ClientOptions & { readonly signal?: AbortSignal }): Promise<GalaxyClient> {
    const client = new GalaxyClient(options);
    try {
      await client.#transport.ready(options.signal);
    } catch (error) {
      client.#transport.close();
      throw error;
    }
    return client;
  }

  get connectionState(): ConnectionState {
    return this.#transport.state;
  }

  /** Whether the gateway reaches the Galaxy's database. */
  async testConnection(call: CallOptions = {}): Promise<boolean> {
    return (await this.#unary(method.testConnection, create(TestConnectionRequestSchema), call)).ok;
  }

  /** When the Galaxy was deployed last; undefined when it never was. */
  async lastDeployTime(call: CallOptions = {}): Promise<MxTime | undefined> {
    const reply = await this.#unary(method.getLastDeployTime, create(GetLastDeployTimeRequestSchema), call);
    return reply.present && reply.timeOfLastDeploy ? MxTime.fromTimestamp(reply.timeOfLastDeploy) : undefined;
  }

  /** Objects with their attributes, parents before children; pages are fetched as they are needed. */
  async *objects(options: HierarchyOptions = {}): AsyncGenerator<GalaxyObject, void, undefined> {
    if (options.root !== undefined && options.rootContainedPath !== undefined)
      throw new TypeError("give either root or rootContainedPath");
    const init: MessageInitShape<typeof DiscoverHierarchyRequestSchema> = {
      ...filterOf(options),
      pageSize: options.pageSize ?? 0,
    };
    if (typeof options.root === "number") init.root = { case: "rootGobjectId", value: options.root };
    else if (options.root !== undefined) init.root = { case: "rootTagName", value: options.root };
    if (options.rootContainedPath !== undefined)
      init.root = { case: "rootContainedPath", value: options.rootContainedPath };
    if (options.maxDepth !== undefined) init.maxDepth = options.maxDepth;
    const request = create(DiscoverHierarchyRequestSchema, init);
    for await (const reply of this.#pages(method.discoverHierarchy, request, options)) yield* reply.objects;
  }

  /** All of `objects` at once. */
  async discoverHierarchy(options: HierarchyOptions = {}): Promise<GalaxyObject[]> {
    const found: GalaxyObject[] = [];
    for await (const each of this.objects(options)) found.push(each);
    return found;
  }

  /** The children of one object, or the top of the Galaxy, as nodes that fetch their own children when expanded. */
  async browse(
    parent?: number | string,
    options: GalaxyFilter & { readonly containedPath?: string } = {},
  ): Promise<BrowseNode[]> {
    if (parent !== undefined && options.containedPath !== undefined)
      throw new TypeError("give either parent or containedPath");
    const init: MessageInitShape<typeof BrowseChildrenRequestSchema> = filterOf(options);
    if (typeof parent === "number") init.parent = { case: "parentGobjectId", value: parent };
    else if (parent !== undefined) init.parent = { case: "parentTagName", value: parent };
    if (options.containedPath !== undefined)
      init.parent = { case: "parentContainedPath", value: options.containedPath };
    return await this.#browse(create(BrowseChildrenRequestSchema, init), options);
  }

  async #browse(request: BrowseChildrenRequest, call: CallOptions): Promise<BrowseNode[]> {
    const nodes: BrowseNode[] = [];
    for await (const reply of this.#pages(method.browseChildren, request, call)) {
      const hints = reply.childHasChildren;
      if (hints.length !== reply.children.length) {
        throw new MxGatewayProtocolError("BrowseChildren: children and hints differ in number", { rawReply: reply });
      }
      for (const [index, child] of reply.children.entries()) {
        nodes.push(
          new BrowseNode(child, hints[index] ?? false, () => {
            const { gobjectId } = child;
            return this.#browse(
              { ...request, parent: { case: "parentGobjectId", value: gobjectId }, pageToken: "" },
              call,
            );
          }),
        );
      }
    }
    return nodes;
  }

  /** The current deployment at once, then each new one; without the first while it is still `lastSeen`. */
  watchDeployEvents(lastSeen?: Date | MxTime, call: CallOptions = {}): ServerStream<DeployEvent> {
    const request = create(WatchDeployEventsRequestSchema);
    if (lastSeen !== undefined) {
      request.lastSeenDeployTime = (lastSeen instanceof Date ? MxTime.fromDate(lastSeen) : lastSeen).toTimestamp();
    }
    return this.#transport.serverStream(method.watchDeployEvents, request, "WatchDeployEvents", {
      ...call,
      isGalaxy: true,
    });
  }

  /** One page of DiscoverHierarchy, with the generated messages. */
  async discoverHierarchyRaw(
    request: DiscoverHierarchyRequest,
    call: CallOptions = {},
  ): Promise<DiscoverHierarchyReply> {
    return await this.#unary(method.discoverHierarchy, request, call);
  }

  /** One page of BrowseChildren, with the generated messages. */
  async browseChildrenRaw(request: BrowseChildrenRequest, call: CallOptions = {}): Promise<BrowseChildrenReply> {
    return await this.#unary(method.browseChildren, request, call);
  }

  /** Closes the connection and ends all calls on it. Idempotent. */
  close(): Promise<void> {
    this.#transport.close();
    return Promise.resolve();
  }

  /** `close`, at the end of an `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async *#pages<I extends DescMessage, O extends DescMessage>(
    rpc: Method<I, O>,
    request: MessageShape<I> & { pageToken: string },
    call: CallOptions,
  ): AsyncGenerator<MessageShape<O>, void, undefined> {
    const asked = new Set<string>();
    for (let token = ""; ;) {
      const reply = await this.#unary(rpc, { ...request, pageToken: token }, call);
      yield reply;
      token = (reply as unknown as { nextPageToken: string }).nextPageToken;
      if (!token) return;
      if (asked.has(token))
        throw new MxGatewayProtocolError(`${rpc.name}: the gateway handed out a page token twice`, { rawReply: reply });
      asked.add(token);
    }
  }

  async #unary<I extends DescMessage, O extends DescMessage>(
    rpc: Method<I, O>,
    request: MessageShape<I>,
    call: CallOptions,
  ): Promise<MessageShape<O>> {
    return await this.#transport.unary(rpc, request, rpc.name, { ...call, isRepeatable: true, isGalaxy: true });
  }
}

/** One object of the Galaxy, with its children once they are expanded. After a deployment, browse again from the root. */
export class BrowseNode {
  readonly object: GalaxyObject;
  /** Whether the gateway says that there are children, after the filters. */
  readonly hasChildrenHint: boolean;
  readonly #fetch: () => Promise<BrowseNode[]>;
  #children: readonly BrowseNode[] | undefined;
  #expanding: Promise<readonly BrowseNode[]> | undefined;

  /** Made by `GalaxyClient.browse`. */
  constructor(object: GalaxyObject, hasChildrenHint: boolean, fetch: () => Promise<BrowseNode[]>) {
    this.object = object;
    this.hasChildrenHint = hasChildrenHint;
    this.#fetch = fetch;
  }

  /** Name in the tree: the contained name within its parent, else the tag name. */
  get name(): string {
    return this.object.browseName || this.object.containedName || this.object.tagName;
  }

  get isExpanded(): boolean {
    return this.#children !== undefined;
  }

  /** The children; empty until `expand` was awaited. */
  get children(): readonly BrowseNode[] {
    return this.#children ?? [];
  }

  /** Fetches the children. Any number of concurrent calls asks the gateway once; a failure is not kept. */
  expand(): Promise<readonly BrowseNode[]> {
    if (this.#children !== undefined) return Promise.resolve(this.#children);
    this.#expanding ??= this.#fetch()
      .then((found) => (this.#children = found))
      .finally(() => {
        this.#expanding = undefined;
      });
    return this.#expanding;
  }
}

function filterOf(options: GalaxyFilter): {
  categoryIds: number[];
  templateChainContains: string[];
  tagNameGlob: string;
  alarmBearingOnly: boolean;
  historizedOnly: boolean;
  attributeOrigins: AttributeOrigin[];
  includeAncestors: boolean;
  includeAttributes?: boolean;
} {
  return {
    categoryIds: [...(options.categoryIds ?? [])],
    templateChainContains: [...(options.templateChainContains ?? [])],
    tagNameGlob: options.tagNameGlob ?? "",
    alarmBearingOnly: options.alarmBearingOnly ?? false,
    historizedOnly: options.historizedOnly ?? false,
    attributeOrigins: [...(options.attributeOrigins ?? [])],
    includeAncestors: options.includeAncestors ?? false,
    ...(options.includeAttributes === undefined ? {} : { includeAttributes: options.includeAttributes }),
  };
}
