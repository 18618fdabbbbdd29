// Questions to the gateway. Whoever is not signed in any more is led to the login page at once.
import { boot } from "./state.ts";
import { go, path } from "./router.ts";
import type { Boot } from "./types.ts";

const BASE = "/api/v1";

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly reason: string,
    detail: string,
    readonly remedy: string,
  ) {
    super(detail);
  }
}

async function asked(method: string, url: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (method === "POST") {
    headers["content-type"] = "application/json";
    if (boot.value) headers["x-csrf-token"] = boot.value.csrf;
  }
  try {
    return await fetch(BASE + url, {
      method,
      headers,
      credentials: "same-origin",
      redirect: "error",
      signal: signal ?? AbortSignal.timeout(30_000),
      ...(method === "POST" ? { body: JSON.stringify(body ?? {}) } : {}),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, "UNREACHABLE", "the gateway does not answer", "it may be starting again; this page goes on by itself");
  }
}

async function problemOf(response: Response): Promise<Problem> {
  const kind = response.headers.get("content-type") ?? "";
  if (kind.startsWith("application/problem+json")) {
    const told = await response.json();
    return new Problem(response.status, told.reason, told.detail, told.remedy);
  }
  return new Problem(response.status, "NOT_US", "something else than the gateway answered", "a proxy may be in between");
}

function isJson(response: Response): boolean {
  return (response.headers.get("content-type") ?? "").startsWith("application/json");
}

async function call<T>(method: string, url: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  let response = await asked(method, url, body, signal);
  if (response.status === 403 && method === "POST" && boot.value) {
    const problem = await problemOf(response);
    if (problem.reason !== "CSRF") throw problem;
    // The page is older than the login: its token is renewed once, silently.
    await loadBoot();
    response = await asked(method, url, body, signal);
  }
  if (!response.ok) {
    const problem = await problemOf(response);
    if (problem.status === 401 && problem.reason === "NOT_SIGNED_IN") signedOut();
    throw problem;
  }
  if (!isJson(response)) throw await problemOf(response);
  return (await response.json()) as T;
}

export const get = <T>(url: string, signal?: AbortSignal) => call<T>("GET", url, undefined, signal);
export const post = <T>(url: string, body?: unknown) => call<T>("POST", url, body);

/** Asks without consequences: null for everything but an answer. */
export async function glance<T>(url: string): Promise<T | null> {
  try {
    const response = await asked("GET", url, undefined);
    return response.ok && isJson(response) ? ((await response.json()) as T) : null;
  } catch {
    return null;
  }
}

export async function loadBoot(): Promise<Boot> {
  const found = await call<Boot>("GET", "/boot");
  boot.value = found;
  return found;
}

export function signedOut(): void {
  boot.value = null;
  if (!path.value.startsWith("/login")) {
    const back = location.pathname + location.search;
    go(`/login${back === "/" ? "" : `?return=${encodeURIComponent(back)}`}`);
  }
}
