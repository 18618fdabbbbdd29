// One field for pages, sessions and objects; the key / opens it.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { get } from "../api.ts";
import { boot, frame, may, store, stored } from "../state.ts";
import type { Role } from "../types.ts";
import { Icon } from "./icons.tsx";

interface Hit {
  href: string;
  title: string;
  kind: string;
}

interface Place {
  path: string;
  title: string;
  role: Role;
}

const MOST = 6;
const isWriting = (target: EventTarget | null) =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

export const hasShortcut = () => stored("mxgw.slash", "on") === "on";
export const setShortcut = (on: boolean) => store("mxgw.slash", on ? "on" : "off");

function known(text: string, places: Place[]): Hit[] {
  const wanted = text.toLowerCase();
  const fits = (...parts: string[]) => parts.some((part) => part.toLowerCase().includes(wanted));
  const pages = places
    .filter((place) => may(place.role) && fits(place.title))
    .map((place) => ({ href: place.path, title: place.title, kind: "page" }));
  const sessions = (frame.value?.sessions ?? [])
    .filter((each) => fits(each.name, each.sessionId, each.ownerKeyId, each.peer))
    .map((each) => ({ href: `/sessions/${each.sessionId}`, title: each.name || each.sessionId, kind: `session of ${each.ownerKeyId}` }));
  return [...pages, ...sessions].slice(0, 2 * MOST);
}

function further(text: string): Hit[] {
  const asked = encodeURIComponent(text);
  return [
    ...(may("operator") ? [{ href: `/logs?q=${asked}`, title: text, kind: "in the log" }] : []),
    ...(may("admin") ? [{ href: `/audit?tag=${asked}`, title: text, kind: "in the audit, as a tag" }] : []),
  ];
}

function useObjects(text: string): Hit[] {
  const [hits, setHits] = useState<Hit[]>([]);
  const mayBrowse = may("operator") || boot.value?.scopes.includes("metadata:read");
  useEffect(() => {
    setHits([]);
    if (text.length < 2 || !mayBrowse) return;
    const ending = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const found = await get<{ objects: { tagName: string }[] }>(`/galaxy/search?text=${encodeURIComponent(text)}`, ending.signal);
        setHits(
          found.objects.slice(0, MOST).map((each) => ({
            href: `/galaxy?object=${encodeURIComponent(each.tagName)}`,
            title: each.tagName,
            kind: "object",
          })),
        );
      } catch {
        // Without a Galaxy the rest is found all the same.
      }
    }, 200);
    return () => {
      clearTimeout(timer);
      ending.abort();
    };
  }, [text, mayBrowse]);
  return hits;
}

function Field({ places, onClose }: { places: Place[]; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const [text, setText] = useState("");
  const wanted = text.trim();
  const objects = useObjects(wanted);
  const hits = wanted ? [...known(wanted, places), ...objects, ...further(wanted)] : [];

  // Before the next key: an ordinary effect comes after the page is drawn, and letters typed until then were lost.
  useLayoutEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    dialog.current?.showModal();
    return () => {
      dialog.current?.close();
      before?.focus?.();
    };
  }, []);

  const move = (event: KeyboardEvent) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const links = [...(list.current?.querySelectorAll("a") ?? [])];
    if (!links.length) return;
    event.preventDefault();
    const at = links.indexOf(document.activeElement as HTMLAnchorElement);
    links[Math.max(0, Math.min(links.length - 1, at + (event.key === "ArrowDown" ? 1 : -1)))]?.focus();
  };

  return (
    <dialog
      ref={dialog}
      class="finder"
      aria-label="Search"
      onKeyDown={move}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          list.current?.querySelector("a")?.click();
        }}
      >
        <label>
          <span class="unseen">Pages, sessions, objects</span>
          <input
            type="search"
            placeholder="Pages, sessions, objects"
            autocomplete="off"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
      </form>
      <ul ref={list} class="found">
        {hits.map((hit) => (
          <li key={hit.kind + hit.href}>
            <a href={hit.href} onClick={() => setTimeout(onClose)}>
              <bdi>{hit.title}</bdi> <span class="dim">{hit.kind}</span>
            </a>
          </li>
        ))}
      </ul>
      <p class="dim" role="status">
        {wanted ? `${hits.length} found` : "Part of a name is enough."}
      </p>
      <div class="buttons">
        <button type="button" onClick={onClose}>
          Close
        </button>
      </div>
    </dialog>
  );
}

export function Search({ places }: { places: Place[] }) {
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
      if (!hasShortcut() || isWriting(event.target) || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      setOpen(true);
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, []);
  return (
    <>
      <button type="button" class="quiet icon-only" title="Search (/)" onClick={() => setOpen(true)}>
        <Icon name="search" />
        <span class="unseen">Search</span>
      </button>
      {isOpen && <Field places={places} onClose={() => setOpen(false)} />}
    </>
  );
}
