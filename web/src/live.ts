// One stream of frames for a browser, however many pages it has: one page holds it and tells the others.
import { get, glance, loadBoot, Problem, signedOut } from "./api.ts";
import { boot, connection, frame, isPaused, lastFrameAt, newVersion, now, serverOffset } from "./state.ts";
import { type Frame, isFrame } from "./types.ts";

const LOCK = "mxgw.live";
const MISSED_MS = 3200;
const LONGEST_WAIT = 4000;
const SILENT_MS = 8000;
const EARLY_MS = 2000;

type Message = { kind: "frame"; data: string } | { kind: "lost" } | { kind: "signed-out" };

const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(LOCK);
const hasLocks = typeof navigator !== "undefined" && "locks" in navigator;

let isRunning = false;
let isLeader = false;
let source: EventSource | null = null;
let attempts = 0;
let held: Frame | null = null;
let retry: ReturnType<typeof setTimeout> | undefined;

function show(next: Frame): void {
  frame.value = next;
  lastFrameAt.value = Date.now();
  now.value = Date.now();
  serverOffset.value = next.at - Date.now();
  connection.value = "live";
}

function take(data: string): void {
  try {
    accept(JSON.parse(data));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
}

function accept(next: unknown): void {
  if (!isFrame(next)) return;
  if (isPaused.value) {
    held = next;
    lastFrameAt.value = Date.now();
    return;
  }
  show(next);
}

export function setPaused(value: boolean): void {
  isPaused.value = value;
  if (!value && held) {
    show(held);
    held = null;
  }
}

channel?.addEventListener("message", (event: MessageEvent<Message>) => {
  if (!isRunning || isLeader) return;
  if (event.data?.kind === "frame" && typeof event.data.data === "string") take(event.data.data);
  else if (event.data?.kind === "lost") {
    connection.value = "lost";
    heard = Date.now();
  } else if (event.data?.kind === "signed-out") ended();
});

function ended(): void {
  stop();
  signedOut();
}

function open(): void {
  source?.close();
  openedAt = Date.now();
  source = new EventSource("/api/v1/live");
  source.addEventListener("frame", (event) => {
    attempts = 0;
    const { data } = event as MessageEvent<string>;
    channel?.postMessage({ kind: "frame", data } satisfies Message);
    take(data);
  });
  source.addEventListener("end", () => again());
  source.addEventListener("error", () => again());
}

/** After an outage: first who we are, then a whole picture, then the stream. */
function again(): void {
  source?.close();
  source = null;
  if (!isRunning || !isLeader) return;
  connection.value = "lost";
  clearTimeout(retry);
  const wait = Math.min(LONGEST_WAIT, 400 * 2 ** Math.min(attempts, 5)) * (0.5 + Math.random());
  attempts += 1;
  retry = setTimeout(async () => {
    if (!isRunning || !isLeader) return;
    const before = boot.value?.version;
    try {
      const found = await loadBoot();
      if (before && found.version !== before) newVersion.value = found.version;
      accept(await get<Frame>("/snapshot"));
      open();
    } catch (error) {
      if (error instanceof Problem && error.status === 401) {
        channel?.postMessage({ kind: "signed-out" } satisfies Message);
        ended();
      } else again();
    }
  }, wait);
}

function lead(steal: boolean): void {
  const began = navigator.locks.request(LOCK, steal ? { steal: true } : {}, async () => {
    if (!isRunning) return;
    isLeader = true;
    open();
    await new Promise<void>((release) => {
      leave = release;
    });
  });
  began.catch(() => {
    // Another page took it, for this one seemed asleep.
    isLeader = false;
    source?.close();
    source = null;
    if (isRunning) lead(false);
  });
}

let leave: () => void = () => undefined;
let heard = 0;
let openedAt = 0;

/** Sees to it that somebody holds the stream: whoever does says so, also while the gateway is away. */
function watch(): void {
  if (!isRunning) return;
  if (isLeader) {
    if (connection.value === "lost") channel?.postMessage({ kind: "lost" } satisfies Message);
    // A connection that a proxy has forgotten makes no error: it is only silent.
    else if (source && !isPaused.value && Date.now() - Math.max(lastFrameAt.value, openedAt) > SILENT_MS) again();
    return;
  }
  const silent = Date.now() - Math.max(lastFrameAt.value, heard);
  if (hasLocks && !document.hidden && silent > MISSED_MS * (1 + Math.random() / 4)) {
    heard = Date.now();
    lead(true);
  }
}

let early: { at: number; answer: Promise<Frame | null> } | null = null;

/** Asks for the first picture beside who looks on, and not after it: on a slow line that is one way there and back. */
export function prepare(): void {
  early = { at: Date.now(), answer: glance<Frame>("/snapshot") };
}

async function firstPicture(): Promise<Frame> {
  const asked = early && Date.now() - early.at < EARLY_MS ? early.answer : null;
  early = null;
  return (await asked) ?? (await get<Frame>("/snapshot"));
}

export function start(): void {
  if (isRunning) return;
  isRunning = true;
  heard = Date.now();
  isPaused.value = false;
  void firstPicture().then(
    // The stream may have been faster.
    (picture) => isRunning && frame.value === null && accept(picture),
    () => undefined,
  );
  if (hasLocks) lead(false);
  else {
    isLeader = true;
    open();
  }
}

export function stop(): void {
  isRunning = false;
  isLeader = false;
  source?.close();
  source = null;
  clearTimeout(retry);
  leave();
  frame.value = null;
  connection.value = "connecting";
}

if (typeof window !== "undefined") setInterval(watch, 1000);
