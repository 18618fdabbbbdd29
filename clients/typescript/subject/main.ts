/** The subject of the TypeScript client: does what lines of JSON say, and answers with lines of JSON. */

import { createInterface } from "node:readline";

import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { status as Code } from "@grpc/grpc-js";

import { CLASS_OF_KIND } from "../src/errors.js";
import { MxStatusProxySchema } from "../src/gen/mxaccess_gateway_pb.js";
import { CLIENT_VERSION, type CallOptions, MxGatewayCommandError, MxGatewayError } from "../src/index.js";
import { type Args, asJson } from "./native.js";
import { OPERATIONS, Objects } from "./objects.js";
import { PURE } from "./pure.js";

/** An error in the words of the suite. */
export function errorOf(error: unknown): JsonObject {
  if (error instanceof MxGatewayError) {
    const kind = Object.entries(CLASS_OF_KIND).find(([, each]) => error.constructor === each)?.[0] ?? error.name;
    const answer: JsonObject = {
      kind,
      reason: error.reason,
      code: error.code === undefined ? "" : (Code[error.code] ?? ""),
      retryable: error.retryable,
      retry_after: error.retryAfterMs === undefined ? null : error.retryAfterMs / 1000,
      message: inSnakeCase(error.message),
      correlation_id: error.correlationId,
    };
    if (error instanceof MxGatewayCommandError) {
      answer["hresult"] = error.hresult ?? null;
      answer["statuses"] = error.statuses.map((each) => asJson(MxStatusProxySchema, each));
    }
    return answer;
  }
  if (error instanceof Error && error.name === "AbortError") return { cancelled: true };
  const kind =
    error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError
      ? "argument"
      : "unexpected";
  return { kind, message: inSnakeCase(error instanceof Error ? error.message : String(error)) };
}

/** Names of options as the suite has them: `callTimeoutMs` is its `call_timeout`. */
function inSnakeCase(text: string): string {
  return text.replace(/\b[a-z]+(?:[A-Z][a-z]+)+\b/g, (name) =>
    name.replace(/Ms$/, "").replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
  );
}

interface Line {
  readonly id: JsonValue;
  readonly op: string;
  readonly on?: string;
  readonly as?: string;
  readonly args?: Args;
}

const objects = new Objects();
const running = new Map<JsonValue, AbortController>();

function say(document: JsonObject): void {
  process.stdout.write(`${JSON.stringify(document)}\n`);
}

async function run(line: Line): Promise<void> {
  const { id, args = {} } = line;
  const over = new AbortController();
  running.set(id, over);
  try {
    const answer = await operation(line, args, over.signal);
    say(answer === undefined ? { id, unsupported: true } : { id, ok: answer });
  } catch (error) {
    say({ id, error: errorOf(error) });
  } finally {
    running.delete(id);
  }
}

async function operation(line: Line, args: Args, signal: AbortSignal): Promise<JsonObject | undefined> {
  const { op, on = "", as = "" } = line;
  if (op === "cancel") {
    running.get(args["id"] ?? null)?.abort();
    return {};
  }
  if (op === "reset") {
    for (const [id, over] of running) if (id !== line.id) over.abort();
    await objects.reset();
    return {};
  }
  const pure = PURE[op];
  if (pure !== undefined) return pure(args);
  const call: CallOptions = {
    signal,
    ...(args["timeout"] === undefined ? {} : { timeoutMs: Number(args["timeout"]) * 1000 }),
    ...(args["correlation_id"] === undefined ? {} : { correlationId: args["correlation_id"] as string }),
  };
  return await OPERATIONS[op]?.({ objects, on, as, args, call });
}

say({ language: "typescript", version: CLIENT_VERSION, features: ["subscriptions"] });
const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
lines.on("line", (line) => void run(JSON.parse(line) as Line));
lines.on("close", () => void objects.reset());
