import { useState } from "preact/hooks";
import { post } from "../api.ts";
import { dateTime, words } from "../format.ts";
import { useLoaded } from "../load.ts";
import { Empty, Failure, Loading, State, Text } from "../parts/basics.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { boot, frame, zone } from "../state.ts";

interface Key {
  keyId: string;
  displayName: string;
  state: string;
  role: string;
  scopes: string[];
  limits: Record<string, unknown>;
  created: number;
  expires: number | null;
  lastUsed: number | null;
  certificate: string;
}

interface Told {
  keys: Key[];
  scopes: string[];
}

type Action = "rotate" | "revoke" | "delete";

const MEANINGS: Record<string, string> = {
  "session:open": "open sessions",
  "session:close": "close its own sessions",
  "invoke:read": "read and subscribe",
  "invoke:write": "write tags, acknowledge alarms",
  "invoke:secure": "sign secured writes",
  "invoke:supervisory": "use connections that ask nobody to sign",
  "events:read": "receive events and alarms",
  "metadata:read": "browse the Galaxy",
  "dashboard:view": "look at this dashboard",
  "dashboard:operate": "close anybody's sessions here",
  admin: "administer the gateway",
};

const EFFECTS: Record<Action, string> = {
  rotate: "Its old secret is void at once; its sessions and streams end. The new one is shown once.",
  revoke: "It is void at once and for good; its sessions and streams end. It stays in the list and in the audit.",
  delete: "It is forgotten; its audit stays.",
};

export function Secret({ keyId, apiKey, onClose }: { keyId: string; apiKey: string; onClose: () => void }) {
  const [isCopied, setCopied] = useState(false);
  return (
    <Dialog title={`The key ${keyId}`} action="I have kept it" onClose={onClose} onDo={async () => "The key was made."}>
      <p>This is shown once and never again:</p>
      <pre tabIndex={0} aria-label="The key">
        <code>{apiKey}</code>
      </pre>
      <p>
        <button
          type="button"
          onClick={() => {
            void navigator.clipboard?.writeText(apiKey).then(() => setCopied(true));
          }}
        >
          {isCopied ? "Copied" : "Copy"}
        </button>
      </p>
    </Dialog>
  );
}

function Create({ scopes, onClose, onMade }: { scopes: string[]; onClose: () => void; onMade: (made: [string, string]) => void }) {
  const [keyId, setKeyId] = useState("");
  const [name, setName] = useState("");
  const [days, setDays] = useState("");
  const [chosen, setChosen] = useState<Set<string>>(new Set());
  const toggle = (scope: string) => {
    const next = new Set(chosen);
    if (!next.delete(scope)) next.add(scope);
    setChosen(next);
  };
  return (
    <Dialog
      title="Make a key"
      action="Make it"
      reason="optional"
      isReady={keyId.trim() !== "" && chosen.size > 0 && (days === "" || /^[1-9]\d{0,3}$/.test(days))}
      onClose={onClose}
      onDo={async (reason) => {
        const made = await post<{ keyId: string; apiKey: string }>("/keys", {
          keyId: keyId.trim(),
          displayName: name.trim(),
          scopes: [...chosen],
          days: days ? Number(days) : null,
          reason,
        });
        onMade([made.keyId, made.apiKey]);
        return "The key was made.";
      }}
    >
      <label>
        Id
        <input value={keyId} maxLength={64} autocomplete="off" spellcheck={false} onInput={(event) => setKeyId(event.currentTarget.value)} />
        <span class="hint">Letters, digits, dots and hyphens; it stands in the key and in the audit.</span>
      </label>
      <label>
        Whose it is
        <input value={name} maxLength={200} autocomplete="off" onInput={(event) => setName(event.currentTarget.value)} />
      </label>
      <fieldset>
        <legend>What it may do</legend>
        {scopes.map((scope) => (
          <label key={scope} class="inline">
            <input type="checkbox" checked={chosen.has(scope)} onChange={() => toggle(scope)} />
            <code>{scope}</code> <span class="dim">{MEANINGS[scope]}</span>
          </label>
        ))}
      </fieldset>
      <label>
        Days until it expires <span class="dim">(empty for never)</span>
        <input class="short" inputMode="numeric" value={days} onInput={(event) => setDays(event.currentTarget.value.trim())} />
      </label>
      <p class="dim">
        Limits to parts of the Galaxy are set with <code>mxgateway apikey change</code>.
      </p>
    </Dialog>
  );
}

export function Keys() {
  const { value, problem, reload } = useLoaded<Told>("/keys", 10);
  const [isMaking, setMaking] = useState(false);
  const [asked, setAsked] = useState<[Action, Key] | null>(null);
  const [made, setMade] = useState<[string, string] | null>(null);
  if (!value) return problem ? <Failure error={problem} /> : <Loading what="the keys" />;
  const used = new Map<string, number>();
  for (const session of frame.value?.sessions ?? []) used.set(session.ownerKeyId, (used.get(session.ownerKeyId) ?? 0) + 1);
  const columns: Column<Key>[] = [
    {
      id: "state",
      title: "State",
      value: (row) => row.state,
      cell: (row) => <State tone={row.state === "valid" ? "good" : row.state === "revoked" ? "idle" : "warn"}>{words(row.state)}</State>,
    },
    {
      id: "key",
      title: "Key",
      isName: true,
      value: (row) => row.keyId,
      cell: (row) => (
        <>
          <bdi>{row.keyId}</bdi> {row.displayName !== row.keyId && <span class="dim">{row.displayName}</span>}
        </>
      ),
    },
    { id: "role", title: "Role here", value: (row) => row.role, cell: (row) => (row.role === "none" ? <span class="dim">–</span> : row.role) },
    {
      id: "scopes",
      title: "May",
      value: (row) => row.scopes.length,
      cell: (row) => (
        <span class="dim">
          {row.scopes.join(", ")}
          {Object.keys(row.limits).length > 0 && <>; limits: {JSON.stringify(row.limits)}</>}
        </span>
      ),
    },
    { id: "sessions", title: "Sessions", isNumber: true, value: (row) => used.get(row.keyId) ?? 0 },
    {
      id: "used",
      title: "Last used",
      value: (row) => row.lastUsed ?? 0,
      cell: (row) => <span class="nowrap">{row.lastUsed ? dateTime(row.lastUsed, zone.value) : "never"}</span>,
    },
    {
      id: "expires",
      title: "Until",
      value: (row) => row.expires ?? Number.MAX_SAFE_INTEGER,
      cell: (row) => <span class="nowrap">{row.expires ? dateTime(row.expires, zone.value).slice(0, 10) : "no end"}</span>,
    },
    {
      id: "actions",
      title: "Do",
      value: () => 0,
      cell: (row) => (
        <span class="nowrap">
          {row.state === "revoked" ? (
            <button type="button" class="quiet" onClick={() => setAsked(["delete", row])}>
              Delete<span class="unseen"> {row.keyId}</span>
            </button>
          ) : (
            <>
              <button type="button" class="quiet" onClick={() => setAsked(["rotate", row])}>
                Rotate<span class="unseen"> {row.keyId}</span>
              </button>
              {row.keyId !== boot.value?.keyId && (
                <button type="button" class="quiet" onClick={() => setAsked(["revoke", row])}>
                  Revoke<span class="unseen"> {row.keyId}</span>
                </button>
              )}
            </>
          )}
        </span>
      ),
    },
  ];
  return (
    <>
      <div class="controls">
        <span class="dim">{value.keys.length === 1 ? "1 key" : `${value.keys.length} keys`}</span>
        <span class="grow" />
        <button type="button" class="primary" onClick={() => setMaking(true)}>
          Make a key …
        </button>
      </div>
      <Failure error={problem} />
      <Table caption="Keys" name="k" rows={value.keys} columns={columns} id={(row) => row.keyId} sort="key" empty={<Empty title="There is no key" />} />
      {isMaking && (
        <Create
          scopes={value.scopes}
          onClose={() => setMaking(false)}
          onMade={(both) => {
            setMade(both);
            reload();
          }}
        />
      )}
      {asked && (
        <Dialog
          title={`${asked[0][0]?.toUpperCase()}${asked[0].slice(1)} the key ${asked[1].keyId}?`}
          action={`${asked[0][0]?.toUpperCase()}${asked[0].slice(1)}`}
          isDangerous
          reason="optional"
          onClose={() => setAsked(null)}
          onDo={async (reason) => {
            const [action, key] = asked;
            const told = await post<{ apiKey?: string }>(`/keys/${encodeURIComponent(key.keyId)}/${action}`, { reason });
            if (told.apiKey) setMade([key.keyId, told.apiKey]);
            reload();
            return `The key ${key.keyId} was ${action === "rotate" ? "rotated" : action === "revoke" ? "revoked" : "deleted"}.`;
          }}
        >
          <p>
            <Text>{asked[1].displayName}</Text>
            {(used.get(asked[1].keyId) ?? 0) > 0 && <>, {used.get(asked[1].keyId)} sessions open</>}.
          </p>
          <p class="dim">{EFFECTS[asked[0]]}</p>
        </Dialog>
      )}
      {made && <Secret keyId={made[0]} apiKey={made[1]} onClose={() => setMade(null)} />}
    </>
  );
}
