// The frame around every page: menu, how live it is, who looks on.
import { useEffect, useState } from "preact/hooks";
import { loadBoot, post, Problem } from "./api.ts";
import { clock, duration, zoneName } from "./format.ts";
import { setPaused, start, stop } from "./live.ts";
import { Failure, State } from "./parts/basics.tsx";
import { Icon } from "./parts/icons.tsx";
import { hasShortcut, Search, setShortcut } from "./parts/search.tsx";
import { About } from "./pages/about.tsx";
import { Alarms } from "./pages/alarms.tsx";
import { Audit } from "./pages/audit.tsx";
import { Galaxy } from "./pages/galaxy.tsx";
import { Keys } from "./pages/keys.tsx";
import { Login } from "./pages/login.tsx";
import { Logs } from "./pages/logs.tsx";
import { Overview } from "./pages/overview.tsx";
import { SessionPage } from "./pages/session.tsx";
import { Sessions } from "./pages/sessions.tsx";
import { Settings } from "./pages/settings.tsx";
import { Streams } from "./pages/streams.tsx";
import { go, path } from "./router.ts";
import {
  announcement,
  boot,
  connection,
  frame,
  isPaused,
  isStale,
  may,
  newVersion,
  setTheme,
  setZone,
  staleSince,
  theme,
  zone,
} from "./state.ts";
import type { Role } from "./types.ts";

interface Page {
  path: string;
  icon: string;
  title: string;
  role: Role;
  show: () => preact.JSX.Element;
}

export const PAGES: Page[] = [
  { path: "/", icon: "overview", title: "Overview", role: "viewer", show: Overview },
  { path: "/sessions", icon: "sessions", title: "Sessions", role: "viewer", show: Sessions },
  { path: "/alarms", icon: "alarms", title: "Alarms", role: "viewer", show: Alarms },
  { path: "/galaxy", icon: "galaxy", title: "Galaxy", role: "viewer", show: Galaxy },
  { path: "/streams", icon: "streams", title: "Streams", role: "viewer", show: Streams },
  { path: "/logs", icon: "logs", title: "Logs", role: "operator", show: Logs },
  { path: "/keys", icon: "keys", title: "Keys", role: "admin", show: Keys },
  { path: "/audit", icon: "audit", title: "Audit", role: "admin", show: Audit },
  { path: "/settings", icon: "settings", title: "Settings", role: "admin", show: Settings },
  { path: "/about", icon: "about", title: "About", role: "viewer", show: About },
];

const IN_THE_BAR = 4;

function Menu() {
  const [isOpen, setOpen] = useState(false);
  const here = path.value;
  useEffect(() => setOpen(false), [here]);
  const shown = PAGES.filter((page) => may(page.role));
  const isHere = (page: Page) => (page.path === "/" ? here === "/" : here === page.path || here.startsWith(`${page.path}/`));
  return (
    <nav aria-label="Pages" class={isOpen ? "open" : ""}>
      <a class="brand" href="/" tabIndex={-1} aria-hidden="true">
        <svg viewBox="0 0 32 32" class="logo">
          <path d="M3 21h5l3.5-13 4.5 17 4.5-20 3.2 12H29" />
        </svg>
        <span>mxaccess-gateway</span>
      </a>
      <ul>
        {shown.map((page, index) => (
          <li key={page.path} class={index >= IN_THE_BAR ? "further" : ""}>
            <a href={page.path} aria-current={isHere(page) ? "page" : undefined}>
              <Icon name={page.icon} />
              <span>{page.title}</span>
              {page.path === "/sessions" && frame.value && (
                <span class="badge live" aria-hidden="true">
                  {frame.value.sessions.length}
                </span>
              )}
              {page.path === "/alarms" && !!frame.value?.alarms?.alarms && (
                <span class="badge live" aria-hidden="true">
                  {frame.value.alarms.alarms}
                </span>
              )}
            </a>
          </li>
        ))}
        {shown.length > IN_THE_BAR + 1 && (
          <li class="more">
            <button type="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
              <Icon name="more" />
              <span>More</span>
            </button>
          </li>
        )}
      </ul>
    </nav>
  );
}

function Freshness() {
  const at = frame.value?.at;
  if (isPaused.value) return <State tone="idle">Paused at {clock(at, zone.value)}</State>;
  if (isStale.value)
    return <State tone="stale">Not live since {clock(staleSince.value, zone.value)}</State>;
  if (!at || connection.value === "connecting") return <State tone="idle">Connecting …</State>;
  return (
    <State tone="good">
      Live <span class="dim clock">{clock(at, zone.value)}</span>
    </State>
  );
}

function Bar({ title }: { title: string }) {
  const next = theme.value === "system" ? "light" : theme.value === "light" ? "dark" : "system";
  const icons = { system: "system", light: "sun", dark: "moon" } as const;
  const who = boot.value;
  return (
    <header class="bar">
      <h1>{title}</h1>
      <div class="freshness">
        <Freshness />
        <button
          type="button"
          class="quiet icon-only"
          aria-pressed={isPaused.value}
          title={isPaused.value ? "Go on" : "Pause all movement"}
          onClick={() => setPaused(!isPaused.value)}
        >
          <Icon name={isPaused.value ? "play" : "pause"} />
          <span class="unseen">{isPaused.value ? "Go on" : "Pause all movement"}</span>
        </button>
      </div>
      <div class="tools">
        <Search places={PAGES} />
        <button
          type="button"
          class="quiet zone"
          title="Change the time zone of all times shown"
          onClick={() => setZone(zone.value === "UTC" ? "local" : "UTC")}
        >
          <span class="unseen">Times in </span>
          {zoneName(zone.value)}
        </button>
        <button
          type="button"
          class="quiet icon-only"
          title={`Colours: ${theme.value}; change to ${next}`}
          onClick={() => setTheme(next)}
        >
          <Icon name={icons[theme.value]} />
          <span class="unseen">
            Colours: {theme.value}; change to {next}
          </span>
        </button>
        {who && (
          <details class="who">
            <summary>
              <bdi>{who.keyId}</bdi> <span class="dim">{who.role}</span>
            </summary>
            <div class="sheet">
              <p>
                {who.door === "key" ? "Signed in with the key " : "Signed in as "}
                <bdi>{who.keyId}</bdi>
                {who.displayName && who.displayName !== who.keyId && (
                  <>
                    {" "}
                    (<bdi>{who.displayName}</bdi>)
                  </>
                )}
                , {who.role}.
              </p>
              <label class="inline">
                <input
                  type="checkbox"
                  defaultChecked={hasShortcut()}
                  onChange={(event) => setShortcut(event.currentTarget.checked)}
                />
                The key / searches
              </label>
              <button type="button" onClick={() => leave(false)}>
                Sign out
              </button>
              <button type="button" onClick={() => leave(true)}>
                Sign out everywhere
              </button>
            </div>
          </details>
        )}
      </div>
    </header>
  );
}

async function leave(everywhere: boolean): Promise<void> {
  let farewell = "";
  try {
    farewell = (await post<{ farewell?: string }>("/logout", { everywhere })).farewell ?? "";
  } finally {
    stop();
    boot.value = null;
    // A proxy would let in at once who has just signed out.
    if (farewell) location.assign(farewell);
    else go("/login?out", true);
  }
}

function Announcements() {
  const state = isStale.value ? "The figures are not live." : "";
  return (
    <>
      <div class={announcement.value ? "told" : "unseen"} role="status">
        {announcement.value}
      </div>
      <div class="unseen" role="alert">
        {state}
      </div>
    </>
  );
}

function Notices() {
  return (
    <>
      {newVersion.value && (
        <p class="notice">
          <State tone="warn">The gateway was upgraded to {newVersion.value}.</State>{" "}
          <button type="button" onClick={() => location.reload()}>
            Reload this page
          </button>
        </p>
      )}
      {frame.value?.isStopping && (
        <p class="notice">
          <State tone="warn">The gateway is stopping: no new session opens.</State>
        </p>
      )}
      {isStale.value && (
        <p class="notice stale">
          <State tone="stale">
            Not live since {clock(staleSince.value, zone.value)}. What is shown is the last known; this page goes on by
            itself as soon as the gateway answers.
          </State>
        </p>
      )}
    </>
  );
}

function Missing() {
  return (
    <div class="empty">
      <p class="title">There is no such page</p>
      <p>
        The address may be of another version. <a href="/">Go to the overview</a>.
      </p>
    </div>
  );
}

export function Shell() {
  const [problem, setProblem] = useState<Problem | null>(null);
  const here = path.value;
  const isLogin = here === "/login" || here === "/login/oidc";
  const isIn = boot.value !== null;

  useEffect(() => {
    if (isLogin || isIn) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async () => {
      try {
        await loadBoot();
        setProblem(null);
      } catch (error) {
        if (!(error instanceof Problem) || error.status === 401) return;
        setProblem(error);
        if (error.status !== 403) timer = setTimeout(ask, 2000);
      }
    };
    void ask();
    return () => clearTimeout(timer);
  }, [isLogin, isIn]);

  useEffect(() => {
    if (isIn && !isLogin) start();
  }, [isIn, isLogin]);

  const page = PAGES.find((each) => each.path === here);
  const isSession = here.startsWith("/sessions/");
  const title = isLogin ? "Sign in" : isSession ? "Session" : (page?.title ?? "Not found");
  useEffect(() => {
    document.title = `${title} · mxaccess-gateway`;
  }, [title]);

  if (isLogin) return <Login />;
  if (!isIn)
    return (
      <main class="boot">
        <p>Asking the gateway who you are …</p>
        <Failure error={problem} />
      </main>
    );
  const isAllowed = !page || may(page.role);
  return (
    <div class={`shell ${isStale.value ? "is-stale" : ""}`} data-frame={frame.value?.n}>
      <a class="skip" href="#main">
        Skip to the page
      </a>
      <Menu />
      <div class="page">
        <Bar title={title} />
        <Announcements />
        <Notices />
        <main id="main" tabIndex={-1}>
          {!isAllowed ? (
            <div class="empty">
              <p class="title">This page is for {page?.role}s</p>
              <p>
                You have the role {boot.value?.role}. An administrator changes that, with the scopes of your key or with the
                groups you are in.
              </p>
            </div>
          ) : isSession ? (
            <SessionPage key={here} sessionId={decodeURIComponent(here.slice("/sessions/".length))} />
          ) : page ? (
            <page.show key={here} />
          ) : (
            <Missing />
          )}
        </main>
        <footer class="foot dim">
          {boot.value?.version && <>Version {boot.value.version}</>}
          {frame.value && <> · up {duration(frame.value.uptime)}</>}
        </footer>
      </div>
    </div>
  );
}
