// What the pages share.
import { computed, signal } from "@preact/signals";
import type { Zone } from "./format.ts";
import type { Boot, Frame, Role } from "./types.ts";

export const boot = signal<Boot | null>(null);
export const frame = signal<Frame | null>(null);
export const connection = signal<"connecting" | "live" | "lost">("connecting");
export const lastFrameAt = signal(0);
export const serverOffset = signal(0);
export const isPaused = signal(false);
export const now = signal(Date.now());
export const newVersion = signal("");
export const announcement = signal("");

const STALE_MS = 3000;

/** Milliseconds since the newest figures came; what is older than three seconds is not live. */
export const isStale = computed(() => frame.value !== null && !isPaused.value && now.value - lastFrameAt.value > STALE_MS);
export const staleSince = computed(() => (isStale.value ? lastFrameAt.value : 0));

export function stored(name: string, fallback: string): string {
  try {
    return localStorage.getItem(name) ?? fallback;
  } catch {
    return fallback;
  }
}

export function store(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Nothing is kept where the browser keeps nothing.
  }
}

export const zone = signal<Zone>(stored("mxgw.zone", "local") === "UTC" ? "UTC" : "local");
export type Theme = "system" | "light" | "dark";
export const theme = signal<Theme>(stored("mxgw.theme", "system") as Theme);
/** Changes with what colours there are, for what is drawn. */
export const paint = signal(0);

export function setZone(value: Zone): void {
  zone.value = value;
  store("mxgw.zone", value);
}

export function setTheme(value: Theme): void {
  theme.value = value;
  store("mxgw.theme", value);
  applyTheme();
}

export function applyTheme(): void {
  const root = document.documentElement;
  if (theme.value === "system") delete root.dataset.theme;
  else root.dataset.theme = theme.value;
  paint.value += 1;
}

const RANKS: Record<Role, number> = { none: 0, viewer: 1, operator: 2, admin: 3 };

/** Whether to show something; whether it is allowed the gateway says. */
export function may(role: Role): boolean {
  return RANKS[boot.value?.role ?? "none"] >= RANKS[role];
}

const ANNOUNCED_MS = 8000;
let silence: ReturnType<typeof setTimeout> | undefined;

/** Says what came of something that was done; for a while, as the page itself shows it too. */
export function announce(text: string): void {
  announcement.value = text;
  clearTimeout(silence);
  silence = setTimeout(() => {
    announcement.value = "";
  }, ANNOUNCED_MS);
}

if (typeof window !== "undefined") {
  setInterval(() => {
    now.value = Date.now();
  }, 500);
  for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
    matchMedia(query).addEventListener("change", () => {
      paint.value += 1;
    });
  }
}
