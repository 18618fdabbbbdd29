/** Options of a client. Nothing is read from the environment or from files but what is named here. */

import { readFileSync } from "node:fs";

import { MAX_MESSAGE_BYTES } from "./version.js";

/** When and how a failed call that changes nothing is repeated. Off unless given. */
export interface RetryPolicy {
  /** Attempts in all, the first included; default 4. */
  readonly maxAttempts?: number;
  /** Milliseconds before the second attempt; each further delay doubles, and the true one is drawn from 0 to that. */
  readonly initialDelayMs?: number;
  /** Longest delay in milliseconds; default 5000. */
  readonly maxDelayMs?: number;
}

/** How to reach a gateway. */
export interface ClientOptions {
  /** `host:port` without a scheme; IPv6 as `[::1]:5001`. */
  readonly endpoint: string;
  /** `mxgw_<id>_<secret>`, or a function that gives it for each call; sent with every call and shown in no text. */
  readonly apiKey?: string | (() => string | Promise<string>);
  /** true for an unencrypted channel; TLS is the default, and nothing else ever switches it off. */
  readonly plaintext?: boolean;
  /** PEM file of the authority to trust in place of the system's, for example the gateway's own `gateway-ca.pem`. */
  readonly caFile?: string;
  /** PEM file of the certificate that this client shows to a gateway which asks for one; with `clientKeyFile`. */
  readonly clientCertificateFile?: string;
  /** PEM file of its private key, without a pass phrase. */
  readonly clientKeyFile?: string;
  /** Name to expect in the certificate in place of the endpoint's host, for tests. */
  readonly serverNameOverride?: string;
  /** Milliseconds until `connect` gives up; default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Deadline of a unary call in milliseconds; default 30,000. */
  readonly callTimeoutMs?: number;
  /** Deadline of a stream in milliseconds; none by default. */
  readonly streamTimeoutMs?: number;
  /** Milliseconds that a closing session or client may take, apart from `callTimeoutMs`; default 10,000. */
  readonly shutdownTimeoutMs?: number;
  /** Longest message in bytes, both ways; default 16 MiB. */
  readonly maxMessageBytes?: number;
  /** Milliseconds without traffic, while a call is under way, after which a ping asks for the gateway; 0 for never. */
  readonly keepaliveTimeMs?: number;
  /** Milliseconds that the answer to it may take; default 10,000. */
  readonly keepaliveTimeoutMs?: number;
  /** Repeats failed calls that change nothing. */
  readonly retry?: RetryPolicy;
}

/** Options with every default filled in, and the files read. */
export interface ResolvedOptions {
  readonly endpoint: string;
  readonly apiKey: string | (() => string | Promise<string>) | undefined;
  readonly plaintext: boolean;
  readonly roots: Buffer | undefined;
  readonly certificate: Buffer | undefined;
  readonly privateKey: Buffer | undefined;
  readonly serverNameOverride: string | undefined;
  readonly connectTimeoutMs: number;
  readonly callTimeoutMs: number;
  readonly streamTimeoutMs: number | undefined;
  readonly shutdownTimeoutMs: number;
  readonly maxMessageBytes: number;
  readonly keepaliveTimeMs: number;
  readonly keepaliveTimeoutMs: number;
  readonly retry: Required<RetryPolicy> | undefined;
}

const TLS_ONLY = ["caFile", "clientCertificateFile", "clientKeyFile", "serverNameOverride"] as const;

/**
 * Fills in what was left out.
 *
 * @throws {TypeError} an option that makes no sense; the text names it and the remedy, and never shows a key.
 */
export function resolveOptions(options: ClientOptions): ResolvedOptions {
  checkEndpoint(options.endpoint);
  if (typeof options.apiKey === "string") checkApiKey(options.apiKey);
  for (const name of TLS_ONLY) {
    if (options.plaintext && options[name] !== undefined) {
      throw new TypeError(`plaintext excludes ${name}: it is an option of TLS`);
    }
  }
  if ((options.clientCertificateFile === undefined) !== (options.clientKeyFile === undefined)) {
    throw new TypeError("clientCertificateFile and clientKeyFile belong together: give both, or neither");
  }
  return {
    endpoint: options.endpoint,
    apiKey: options.apiKey,
    plaintext: options.plaintext ?? false,
    roots: certificates("caFile", options.caFile),
    certificate: certificates("clientCertificateFile", options.clientCertificateFile),
    privateKey: fileOf("clientKeyFile", options.clientKeyFile),
    serverNameOverride: options.serverNameOverride,
    connectTimeoutMs: positive("connectTimeoutMs", options.connectTimeoutMs, 10_000),
    callTimeoutMs: positive("callTimeoutMs", options.callTimeoutMs, 30_000),
    streamTimeoutMs:
      options.streamTimeoutMs === undefined ? undefined : positive("streamTimeoutMs", options.streamTimeoutMs, 0),
    shutdownTimeoutMs: positive("shutdownTimeoutMs", options.shutdownTimeoutMs, 10_000),
    maxMessageBytes: positive("maxMessageBytes", options.maxMessageBytes, MAX_MESSAGE_BYTES),
    keepaliveTimeMs: options.keepaliveTimeMs === 0 ? 0 : positive("keepaliveTimeMs", options.keepaliveTimeMs, 30_000),
    keepaliveTimeoutMs: positive("keepaliveTimeoutMs", options.keepaliveTimeoutMs, 10_000),
    retry: options.retry === undefined ? undefined : resolveRetry(options.retry),
  };
}

/** @throws {TypeError} what is no `host:port`. */
export function checkEndpoint(endpoint: string): void {
  if (endpoint.includes("://")) {
    throw new TypeError(`endpoint '${endpoint}' has a scheme; give host:port, and plaintext: true for no TLS`);
  }
  const match = /^(\[[^\]/]+\]|[^:/[\]]+):([^:]*)$/.exec(endpoint);
  if (match === null) {
    throw new TypeError(`endpoint '${endpoint}' is not host:port, for example localhost:5001 or [::1]:5001`);
  }
  const port = match[2] ?? "";
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65535) {
    throw new TypeError(`endpoint '${endpoint}' has no port between 1 and 65535`);
  }
}

/** @throws {TypeError} a key that no header can carry; the text does not show it. */
export function checkApiKey(key: string): void {
  if (!/^[\x21-\x7e]+$/.test(key)) {
    throw new TypeError("apiKey is empty or holds blanks or characters outside ASCII; give the key and nothing else");
  }
}

function resolveRetry(policy: RetryPolicy): Required<RetryPolicy> {
  const { maxAttempts = 4, initialDelayMs = 100, maxDelayMs = 5000 } = policy;
  if (!Number.isInteger(maxAttempts) || maxAttempts < 1) {
    throw new TypeError(`retry.maxAttempts is ${maxAttempts}, but at least one attempt is needed`);
  }
  if (!(initialDelayMs >= 0 && maxDelayMs >= initialDelayMs && Number.isFinite(maxDelayMs))) {
    throw new TypeError("retry needs 0 <= initialDelayMs <= maxDelayMs");
  }
  return { maxAttempts, initialDelayMs, maxDelayMs };
}

function positive(name: string, given: number | undefined, otherwise: number): number {
  const value = given ?? otherwise;
  if (!(value > 0 && Number.isFinite(value))) throw new TypeError(`${name} is ${value}, but needs to be positive`);
  return value;
}

function fileOf(name: string, path: string | undefined): Buffer | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const what = code === "ENOENT" ? "does not exist" : `cannot be read: ${message}`;
    throw new TypeError(`${name} ${path} ${what}`, { cause: error });
  }
}

function certificates(name: string, path: string | undefined): Buffer | undefined {
  const found = fileOf(name, path);
  if (found !== undefined && !found.includes("-----BEGIN CERTIFICATE-----")) {
    throw new TypeError(`${name} ${path} holds no certificate in PEM form`);
  }
  return found;
}
