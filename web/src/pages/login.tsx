import { useEffect, useState } from "preact/hooks";
import { get, post, Problem } from "../api.ts";
import { Failure } from "../parts/basics.tsx";
import { go, localPath, query } from "../router.ts";
import { boot } from "../state.ts";
import type { Boot } from "../types.ts";

interface How {
  needsKey: boolean;
  oidc?: string | null;
  ldap?: boolean;
  proxy?: string | null;
}

/** What the provider sent the browser back with; it leaves the address at once. */
function takeAnswer(): Record<string, string> | null {
  if (location.pathname !== "/login/oidc") return null;
  const answer = new URLSearchParams(location.search);
  go("/login", true);
  return { code: answer.get("code") ?? "", state: answer.get("state") ?? "" };
}

/** The ticket of a one-time link; it leaves the address at once. */
function takeTicket(): string {
  const match = /^#ticket=([A-Za-z0-9_-]{20,200})$/.exec(location.hash);
  if (match) history.replaceState(null, "", location.pathname + location.search);
  return match?.[1] ?? "";
}

export function Login() {
  const [key, setKey] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [how, setHow] = useState<How>({ needsKey: true });
  const [user, setUser] = useState("");
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);

  const { needsKey } = how;
  const wantsKey = needsKey && !how.ldap;

  const signIn = async (body: Record<string, string>, door = "") => {
    setBusy(true);
    setProblem(null);
    try {
      const found = await post<Boot & { back?: string }>(`/login${door}`, body);
      // A cookie that is not kept would lead back here again and again: said in words instead.
      try {
        await get<Boot>("/boot");
      } catch (error) {
        if (error instanceof Problem && error.status === 401)
          throw new Problem(
            401,
            "NO_COOKIE",
            "you are signed in, but this browser does not keep the cookie",
            "allow cookies for this address; behind a proxy, set dashboard.external_url to the address that browsers use",
          );
        throw error;
      }
      setKey("");
      setPassword("");
      boot.value = found;
      go(localPath(found.back || query.value.get("return")), true);
    } catch (error) {
      setProblem(error instanceof Problem ? error : new Problem(0, "INTERNAL", String(error), ""));
    }
    setBusy(false);
  };

  const leaveForProvider = async () => {
    setBusy(true);
    setProblem(null);
    try {
      const found = await post<{ url: string }>("/oidc/start", { return: localPath(query.value.get("return")) });
      location.assign(found.url);
    } catch (error) {
      setProblem(error instanceof Problem ? error : new Problem(0, "INTERNAL", String(error), ""));
      setBusy(false);
    }
  };

  useEffect(() => {
    const ticket = takeTicket();
    const answer = takeAnswer();
    if (ticket) void signIn({ ticket });
    else if (answer) void signIn(answer, "/oidc");
    get<How>("/login").then(
      (found) => {
        setHow(found);
        // Whom a proxy has let in is in; not who has just signed out.
        if (found.proxy && !ticket && !answer && !query.value.has("out")) void signIn({}, "/proxy");
      },
      () => undefined,
    );
  }, []);

  const wasIn = query.value.has("return");
  return (
    <main class="login">
      <svg viewBox="0 0 32 32" class="logo" aria-hidden="true">
        <path d="M3 21h5l3.5-13 4.5 17 4.5-20 3.2 12H29" />
      </svg>
      <h1>mxaccess-gateway</h1>
      {wasIn && !problem && <p class="dim">Sign in to go on where you were.</p>}
      <Failure error={problem} />
      {(how.oidc || how.proxy) && (
        <div class="doors">
          {how.oidc && (
            <button type="button" class="primary" disabled={isBusy} onClick={leaveForProvider}>
              Sign in with {how.oidc}
            </button>
          )}
          {how.proxy && (
            <button type="button" class="primary" disabled={isBusy} onClick={() => signIn({}, "/proxy")}>
              Go on as <bdi>{how.proxy}</bdi>
            </button>
          )}
        </div>
      )}
      {how.ldap && (
        <form
          aria-label="Sign in with your name"
          onSubmit={(event) => {
            event.preventDefault();
            void signIn({ user: user.trim(), password }, "/ldap");
          }}
        >
          <label>
            Name
            <input
              type="text"
              name="username"
              autocomplete="username"
              autocapitalize="none"
              spellcheck={false}
              required
              value={user}
              onInput={(event) => setUser(event.currentTarget.value)}
            />
          </label>
          <label>
            Password
            <input
              type="password"
              name="current-password"
              autocomplete="current-password"
              required
              value={password}
              onInput={(event) => setPassword(event.currentTarget.value)}
            />
          </label>
          <button type="submit" class="primary" disabled={isBusy || !user.trim() || !password}>
            {isBusy ? "Signing in …" : "Sign in"}
          </button>
        </form>
      )}
      <form
        aria-label="Sign in with a key"
        onSubmit={(event) => {
          event.preventDefault();
          void signIn(needsKey ? { key: key.trim() } : {});
        }}
      >
        {needsKey ? (
          <label>
            API key
            <input
              type="password"
              name="password"
              autocomplete="current-password"
              spellcheck={false}
              required
              placeholder="mxgw_…"
              value={key}
              onInput={(event) => setKey(event.currentTarget.value)}
            />
            <span class="hint">
              A key with the scope <code>dashboard:view</code>, <code>dashboard:operate</code> or <code>admin</code>.
            </span>
          </label>
        ) : (
          <p>This gateway asks nobody for a key (authentication.mode = disabled): whoever is on this machine may do all.</p>
        )}
        <button type="submit" class={wantsKey && !how.oidc ? "primary" : ""} disabled={isBusy || (needsKey && !key.trim())}>
          {isBusy ? "Signing in …" : how.ldap || how.oidc ? "Sign in with the key" : "Sign in"}
        </button>
      </form>
      <details class="help">
        <summary>No key yet?</summary>
        <p>On the gateway's machine, an administrator makes one:</p>
        <pre>
          <code>mxgateway apikey create ops --scopes dashboard:view</code>
        </pre>
        <p>It is shown once. Keep it in a password manager; it can be pasted here.</p>
      </details>
    </main>
  );
}
