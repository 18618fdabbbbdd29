/** What a command works with: options, connection, output, and how it ends. */

import { GatewayClient } from "../client.js";
import { GalaxyClient } from "../galaxy.js";
import type { ClientOptions } from "../options.js";
import type { CallOptions } from "../transport.js";
import type { MxTime } from "../time.js";
import type { Given } from "./options.js";
import { type Output, UsageError } from "./outcomes.js";

const DEFAULT_TIMEOUT = 30;

/** One invocation. */
export class Run {
  readonly given: Given;
  readonly output: Output;
  readonly isJson: boolean;
  /** Where the key comes from, for reports that must not show it. */
  readonly keySource: string;
  readonly #options: ClientOptions;
  readonly #timeoutMs: number;
  /** Ends with --timeout, or when somebody interrupts. */
  readonly signal: AbortSignal;

  constructor(given: Given, output: Output, signal: AbortSignal) {
    this.given = given;
    this.output = output;
    this.isJson = given.get("json") === true;
    this.#timeoutMs = ((given.get("timeout") as number | undefined) ?? DEFAULT_TIMEOUT) * 1000;
    this.signal = signal;
    const key = keyOf(given);
    this.keySource = key.source;
    this.#options = clientOptions(given, key.key, this.#timeoutMs);
  }

  get call(): CallOptions {
    return { signal: this.signal };
  }

  text(name: string): string {
    return (this.given.get(name) as string | undefined) ?? "";
  }

  number(name: string): number {
    return (this.given.get(name) as number | undefined) ?? 0;
  }

  optional<T>(name: string): T | undefined {
    return this.given.get(name) as T | undefined;
  }

  flag(name: string): boolean {
    return this.given.get(name) === true;
  }

  time(name: string): MxTime {
    return this.given.get(name) as MxTime;
  }

  /** Seconds of a stream's life: --duration, else --timeout where it was given. */
  get durationMs(): number | undefined {
    const seconds = this.optional<number>("duration") ?? this.optional<number>("timeout");
    return seconds === undefined ? undefined : seconds * 1000;
  }

  /** Connects, does the work, and closes. */
  async gateway<T>(work: (client: GatewayClient) => Promise<T>): Promise<T> {
    await using client = await GatewayClient.connect({ ...this.#options, signal: this.signal });
    return await work(client);
  }

  /** `gateway` for the Galaxy service. */
  async galaxy<T>(work: (galaxy: GalaxyClient) => Promise<T>): Promise<T> {
    await using galaxy = await GalaxyClient.connect({ ...this.#options, signal: this.signal });
    return await work(galaxy);
  }

  /** One JSON document with --json, else lines for people. */
  emit(document: unknown, lines: string | Iterable<string>): void {
    if (this.isJson) this.output.out(JSON.stringify(document, null, 2));
    else for (const line of typeof lines === "string" ? [lines] : lines) this.output.out(line);
  }
}

function keyOf(given: Given): { key: string | undefined; source: string } {
  const [key, variable] = [given.get("api-key") as string | undefined, given.get("api-key-env") as string | undefined];
  if (key !== undefined && variable !== undefined) throw new UsageError("give either --api-key or --api-key-env");
  if (key !== undefined) return { key, source: "--api-key" };
  if (variable === undefined) return { key: undefined, source: "" };
  const found = process.env[variable];
  if (!found)
    throw new UsageError(`the environment variable ${variable} (--api-key-env) is not set; set it to the API key`);
  return { key: found, source: `environment variable ${variable}` };
}

function clientOptions(given: Given, apiKey: string | undefined, timeoutMs: number): ClientOptions {
  const plaintext = given.get("plaintext") === true;
  if (plaintext && given.get("tls") === true) throw new UsageError("--plaintext and --tls exclude each other");
  const found: Record<string, unknown> = {
    endpoint: given.get("endpoint") ?? (plaintext ? "localhost:5000" : "localhost:5001"),
    plaintext,
    apiKey,
    caFile: given.get("ca-file"),
    clientCertificateFile: given.get("client-cert"),
    clientKeyFile: given.get("client-key"),
    serverNameOverride: given.get("server-name-override"),
    callTimeoutMs: timeoutMs,
    shutdownTimeoutMs: ((given.get("shutdown-timeout") as number | undefined) ?? 10) * 1000,
  };
  return Object.fromEntries(
    Object.entries(found).filter(([, value]) => value !== undefined),
  ) as unknown as ClientOptions;
}
