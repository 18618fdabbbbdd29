import { useEffect, useState } from "preact/hooks";
import { get, post, Problem } from "../api.ts";
import { Failure } from "../parts/basics.tsx";
import { go, localPath, query } from "../router.ts";
import { boot } from "../state.ts";
import type { Boot } from "../types.ts";

/** The ticket of a one-time link; it leaves the address at once. */
function takeTicket(): string {
  const match = /^#ticket=([A-Za-z0-9_-]{20,200})$/.exec(location.hash);
  if (match) history.replaceState(null, "", location.pathname + location.search);
  return match?.[1] ?? "";
}

export function Login() {
  const [key, setKey] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [needsKey, setNeedsKey] = useState(true);
  const [problem, setProblem] = useState<Problem | null>(null);

  const signIn = async (body: Record<string, string>) => {
    setBusy(true);
    setProblem(null);
    try {
      const found = await post<Boot>("/login", body);
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
      boot.value = found;
      go(localPath(query.value.get("return")), true);
    } catch (error) {
      setProblem(error instanceof Problem ? error : new Problem(0, "INTERNAL", String(error), ""));
    }
    setBusy(false);
  };

  useEffect(() => {
    const ticket = takeTicket();
    if (ticket) void signIn({ ticket });
    get<{ needsKey: boolean }>("/login").then(
      (found) => setNeedsKey(found.needsKey),
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
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void signIn(needsKey ? { key: key.trim() } : {});
        }}
      >
        {wasIn && !problem && <p class="dim">Sign in to go on where you were.</p>}
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
        <Failure error={problem} />
        <button type="submit" class="primary" disabled={isBusy || (needsKey && !key.trim())}>
          {isBusy ? "Signing in …" : "Sign in"}
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
