import { useState } from "preact/hooks";
import { post } from "../api.ts";
import { useLoaded } from "../load.ts";
import { Empty, Failure, Loading, Section, State, Text } from "../parts/basics.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { query, setQuery } from "../router.ts";
import { isStale } from "../state.ts";

interface Setting {
  name: string;
  value: string;
  isDefault: boolean;
  origin: string;
  meaning: string;
}

interface Reloaded {
  changed: string[];
  needsRestart: string[];
}

function Result({ found }: { found: Reloaded }) {
  return (
    <p class="notice">
      <State tone={found.needsRestart.length ? "warn" : "good"}>
        {found.changed.length ? `Taken: ${found.changed.join(", ")}.` : "No setting that can change at run time has changed."}{" "}
        {found.needsRestart.length > 0 && `A restart is needed for: ${found.needsRestart.join(", ")}.`}
      </State>
    </p>
  );
}

/** What stands between backticks is meant as it is written. */
function Meaning({ children }: { children: string }) {
  return <>{children.split("`").map((part, index) => (index % 2 ? <code key={index}>{part}</code> : part))}</>;
}

export function Settings() {
  const { value, problem } = useLoaded<{ settings: Setting[] }>("/settings");
  const [isAsking, setAsking] = useState(false);
  const [reloaded, setReloaded] = useState<Reloaded | null>(null);
  if (!value) return problem ? <Failure error={problem} /> : <Loading what="the settings" />;
  const text = (query.value.get("q") ?? "").toLowerCase();
  const onlyChanged = query.value.get("changed") === "1";
  const shown = value.settings.filter(
    (each) =>
      (!onlyChanged || each.origin !== "default") && (!text || `${each.name} ${each.meaning} ${each.value}`.toLowerCase().includes(text)),
  );
  const sections = new Map<string, Setting[]>();
  for (const each of shown) {
    const name = each.name.includes(".") ? each.name.slice(0, each.name.lastIndexOf(".")) : "general";
    sections.set(name, [...(sections.get(name) ?? []), each]);
  }
  return (
    <>
      <div class="controls">
        <label class="search">
          <span class="unseen">Filter by name or meaning</span>
          <input
            type="search"
            placeholder="Name or meaning"
            value={query.value.get("q") ?? ""}
            onInput={(event) => setQuery({ q: event.currentTarget.value })}
          />
        </label>
        <label class="inline">
          <input
            type="checkbox"
            checked={onlyChanged}
            onChange={(event) => setQuery({ changed: event.currentTarget.checked ? "1" : "" })}
          />
          Only what was set
        </label>
        <span class="dim">
          {shown.length} of {value.settings.length} settings
        </span>
        <span class="grow" />
        <button type="button" aria-disabled={isStale.value} onClick={() => !isStale.value && setAsking(true)}>
          Read again …
        </button>
      </div>
      {reloaded && <Result found={reloaded} />}
      {isAsking && (
        <Dialog
          title="Read the settings again"
          action="Read again"
          onClose={() => setAsking(false)}
          onDo={async () => {
            setReloaded(await post<Reloaded>("/settings/reload"));
            return "The settings were read again.";
          }}
        >
          <p>
            File and environment are read anew. What can change while the gateway runs is taken, all of it or nothing; what
            needs a restart is named. Sessions go on.
          </p>
        </Dialog>
      )}
      {shown.length === 0 && <Empty title="No setting fits">Everything else has its default.</Empty>}
      {[...sections].map(([name, rows]) => (
        <Section key={name} title={name} id={`section-${name.replaceAll(".", "-")}`}>
          <div class="scroller" role="region" aria-label={`Settings of ${name}`} tabIndex={0}>
            {/* On a phone a row is a block, which would take the table's meaning from it: so it is said. */}
            <table class="settings" role="table">
              <thead role="rowgroup">
                <tr role="row">
                  <th scope="col" role="columnheader">
                    Setting
                  </th>
                  <th scope="col" role="columnheader">
                    Value
                  </th>
                  <th scope="col" role="columnheader">
                    From
                  </th>
                  <th scope="col" role="columnheader">
                    Meaning
                  </th>
                </tr>
              </thead>
              <tbody role="rowgroup">
                {rows.map((each) => (
                  <tr key={each.name} role="row">
                    <td role="cell">
                      <code>{each.name.split(".").pop()}</code>
                    </td>
                    <td class="wrap" role="cell">
                      <Text empty="empty">{each.value}</Text>
                    </td>
                    <td class={each.origin === "default" ? "dim" : ""} role="cell">
                      <Text>{each.origin}</Text>
                    </td>
                    <td class="dim" role="cell">
                      <Meaning>{each.meaning}</Meaning>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </Section>
      ))}
    </>
  );
}
