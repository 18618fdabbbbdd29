// Which page is shown: the address says it all, so that it can be kept, shared and reloaded.
import { signal } from "@preact/signals";

export const path = signal(location.pathname);
export const query = signal(new URLSearchParams(location.search));

function read(): void {
  path.value = location.pathname;
  query.value = new URLSearchParams(location.search);
}

export function go(to: string, replace = false): void {
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  const isOther = path.value !== location.pathname;
  read();
  if (isOther && !replace) {
    window.scrollTo(0, 0);
    document.getElementById("main")?.focus({ preventScroll: true });
  }
}

/** Changes parts of the query; empty ones go. */
export function setQuery(changes: Record<string, string>): void {
  const wanted = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value) wanted.set(name, value);
    else wanted.delete(name);
  }
  const text = wanted.toString();
  go(location.pathname + (text ? `?${text}` : ""), true);
}

/** A place of this dashboard, or its first page for what is none. */
export function localPath(wanted: string | null): string {
  return wanted && /^\/(?![/\\])[^\\]*$/.test(wanted) && !wanted.startsWith("/login") ? wanted : "/";
}

addEventListener("popstate", read);
document.addEventListener("click", (event) => {
  const link = (event.target as Element | null)?.closest("a");
  if (!link || event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.origin !== location.origin || link.target || link.hasAttribute("download") || link.hash) return;
  event.preventDefault();
  go(link.pathname + link.search);
});
