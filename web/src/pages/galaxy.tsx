import { useEffect, useRef, useState } from "preact/hooks";
import { get, Problem } from "../api.ts";
import { count } from "../format.ts";
import { useLoaded } from "../load.ts";
import { Empty, Failure, Loading, Section, State, Text } from "../parts/basics.tsx";
import { query, setQuery } from "../router.ts";
import { frame, store } from "../state.ts";
import { SavedLists, storedTags, WatchList } from "./watch.tsx";

interface Place {
  id: number;
  tagName: string;
  name: string;
  isArea: boolean;
  template: string;
  hasChildren?: boolean;
}

interface Attribute {
  attributeName?: string;
  fullTagReference: string;
  dataTypeName?: string;
  isArray?: boolean;
  securityClassification?: number;
  isHistorized?: boolean;
  isAlarm?: boolean;
  origin?: string;
  engineeringUnits?: string;
  description?: string;
}

interface Level {
  children: Place[];
  total: number;
  next: string;
}

const SECURITY = ["free access", "operate", "secured write", "verified write", "tune", "configure", "view only"];

async function level(parent: number, page = ""): Promise<Level> {
  const wanted = new URLSearchParams();
  if (parent) wanted.set("parent", String(parent));
  if (page) wanted.set("page", page);
  return get<Level>(`/galaxy/children?${wanted}`);
}

interface Node extends Place {
  depth: number;
  isOpen: boolean;
}

function Tree({ chosen, onChoose }: { chosen: string; onChoose: (tagName: string) => void }) {
  const [levels, setLevels] = useState<Map<number, Level>>(new Map());
  const [open, setOpen] = useState<Set<number>>(new Set());
  const [at, setAt] = useState(0);
  const [problem, setProblem] = useState<Problem | null>(null);
  const place = useRef<HTMLUListElement>(null);
  const typed = useRef({ text: "", when: 0 });

  const load = async (parent: number) => {
    try {
      const known = levels.get(parent);
      const found = await level(parent, known?.next);
      setLevels((before) => {
        const had = before.get(parent)?.children ?? [];
        return new Map(before).set(parent, { ...found, children: [...had, ...found.children] });
      });
      setProblem(null);
    } catch (error) {
      if (error instanceof Problem) setProblem(error);
    }
  };
  useEffect(() => {
    void load(0);
  }, []);

  const nodes: (Node | { more: number; depth: number; left: number })[] = [];
  const walk = (parent: number, depth: number) => {
    const here = levels.get(parent);
    for (const child of here?.children ?? []) {
      const isOpen = open.has(child.id);
      nodes.push({ ...child, depth, isOpen });
      if (isOpen) walk(child.id, depth + 1);
    }
    if (here?.next) nodes.push({ more: parent, depth, left: here.total - here.children.length });
  };
  walk(0, 0);

  const toggle = (node: Node, wanted: boolean) => {
    const next = new Set(open);
    if (wanted) {
      next.add(node.id);
      if (!levels.has(node.id)) void load(node.id);
    } else next.delete(node.id);
    setOpen(next);
  };
  const move = (to: number) => {
    const index = Math.max(0, Math.min(nodes.length - 1, to));
    setAt(index);
    (place.current?.querySelectorAll('[role="treeitem"]')[index] as HTMLElement | undefined)?.focus();
  };
  const onKey = (event: KeyboardEvent) => {
    const node = nodes[at];
    if (!node) return;
    const isNode = "tagName" in node;
    switch (event.key) {
      case "ArrowDown":
        move(at + 1);
        break;
      case "ArrowUp":
        move(at - 1);
        break;
      case "Home":
        move(0);
        break;
      case "End":
        move(nodes.length - 1);
        break;
      case "ArrowRight":
        if (isNode && node.hasChildren && !node.isOpen) toggle(node, true);
        else move(at + 1);
        break;
      case "ArrowLeft":
        if (isNode && node.isOpen) toggle(node, false);
        else
          move(
            nodes.findLastIndex((each, index) => index < at && each.depth < node.depth),
          );
        break;
      case "Enter":
      case " ":
        if (isNode) onChoose(node.tagName);
        else void load(node.more);
        break;
      default: {
        if (event.key.length !== 1 || event.ctrlKey || event.metaKey || event.altKey) return;
        const now = Date.now();
        typed.current = { text: (now - typed.current.when < 800 ? typed.current.text : "") + event.key.toLowerCase(), when: now };
        const found = nodes.findIndex(
          (each, index) => index >= at && "tagName" in each && each.name.toLowerCase().startsWith(typed.current.text),
        );
        if (found >= 0) move(found);
      }
    }
    event.preventDefault();
  };

  if (problem) return <Failure error={problem} />;
  if (!levels.size) return <Loading what="the tree" />;
  if (!nodes.length) return <Empty title="There is no object that your key may browse" />;
  return (
    <ul role="tree" aria-label="Galaxy" class="tree" ref={place} onKeyDown={onKey}>
      {nodes.map((node, index) =>
        "tagName" in node ? (
          <li
            key={node.id}
            role="treeitem"
            aria-level={node.depth + 1}
            aria-expanded={node.hasChildren ? node.isOpen : undefined}
            aria-selected={node.tagName === chosen}
            tabIndex={index === Math.min(at, nodes.length - 1) ? 0 : -1}
            class={`depth-${Math.min(node.depth, 9)}`}
            onFocus={() => setAt(index)}
            onClick={() => {
              setAt(index);
              onChoose(node.tagName);
              if (node.hasChildren) toggle(node, !node.isOpen || node.tagName !== chosen);
            }}
          >
            <span class="twist" aria-hidden="true">
              {node.hasChildren ? (node.isOpen ? "▾" : "▸") : ""}
            </span>
            <span class={node.isArea ? "area" : ""}>
              <Text>{node.name}</Text>
            </span>
            {node.template && <span class="dim small"> {node.template}</span>}
          </li>
        ) : (
          <li
            key={`more-${node.more}`}
            role="treeitem"
            aria-level={node.depth + 1}
            aria-selected={false}
            tabIndex={index === at ? 0 : -1}
            class={`depth-${Math.min(node.depth, 9)} more`}
            onClick={() => void load(node.more)}
          >
            Show {count(node.left)} more
          </li>
        ),
      )}
    </ul>
  );
}

function Found({ text, onChoose }: { text: string; onChoose: (tagName: string) => void }) {
  const { value, problem } = useLoaded<{ objects: Place[]; total: number }>(`/galaxy/search?text=${encodeURIComponent(text)}`);
  if (problem) return <Failure error={problem} />;
  if (!value) return <Loading what="what fits" />;
  if (!value.objects.length) return <Empty title="No object fits">Part of a tag name is enough; * and ? stand for any text.</Empty>;
  return (
    <>
      <p class="dim sum">
        {value.objects.length} of {count(value.total)} objects
      </p>
      <ul class="found">
        {value.objects.map((each) => (
          <li key={each.id}>
            <button type="button" class="quiet" onClick={() => onChoose(each.tagName)}>
              <Text>{each.tagName}</Text> <span class="dim small">{each.template}</span>
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

function Attributes({ tagName, watched, onWatch }: { tagName: string; watched: string[]; onWatch: (tags: string[]) => void }) {
  const all = query.value.get("all") === "1";
  const { value, problem } = useLoaded<Place & { attributes: Attribute[] }>(
    `/galaxy/objects/${encodeURIComponent(tagName)}${all ? "?all=1" : ""}`,
  );
  if (problem) return <Failure error={problem} />;
  if (!value) return <Loading what="the object" />;
  return (
    <Section
      title={value.tagName}
      id="object"
      aside={
        <label class="inline">
          <input type="checkbox" checked={all} onChange={(event) => setQuery({ all: event.currentTarget.checked ? "1" : "" })} />
          All attributes
        </label>
      }
    >
      <p class="dim sum">
        {value.isArea ? "Area" : "Object"} <Text>{value.name}</Text>
        {value.template && (
          <>
            {" "}
            of <Text>{value.template}</Text>
          </>
        )}
        , {count(value.attributes.length)} {all ? "" : "configured "}attributes
      </p>
      {value.attributes.length === 0 ? (
        <Empty title="No engineer has configured an attribute here">All attributes shows those that every object of its kind has.</Empty>
      ) : (
        <div class="scroller" role="region" aria-label={`Attributes of ${value.tagName}`} tabIndex={0}>
          <table class="stacked" role="table">
            <thead class="heads" role="rowgroup">
              <tr role="row">
                <th scope="col" role="columnheader">Watch</th>
                <th scope="col" role="columnheader">Attribute</th>
                <th scope="col" role="columnheader">Type</th>
                <th scope="col" role="columnheader">Unit</th>
                <th scope="col" role="columnheader">Writing</th>
                <th scope="col" role="columnheader">Marks</th>
                <th scope="col" role="columnheader">Description</th>
              </tr>
            </thead>
            <tbody role="rowgroup">
              {value.attributes.map((each) => (
                <tr role="row" key={each.fullTagReference}>
                  <td role="cell" class="check">
                    <input
                      type="checkbox"
                      aria-label={`Watch ${each.fullTagReference}`}
                      checked={watched.includes(each.fullTagReference)}
                      onChange={(event) =>
                        onWatch(
                          event.currentTarget.checked
                            ? [...watched, each.fullTagReference]
                            : watched.filter((tag) => tag !== each.fullTagReference),
                        )
                      }
                    />
                  </td>
                  <td role="cell">
                    <bdi>{each.attributeName}</bdi>
                  </td>
                  <td role="cell" class="nowrap">
                    {each.dataTypeName}
                    {each.isArray && "[]"}
                  </td>
                  <td role="cell">
                    <Text empty="">{each.engineeringUnits}</Text>
                  </td>
                  <td role="cell" class="nowrap">{SECURITY[each.securityClassification ?? 0] ?? "–"}</td>
                  <td role="cell" class="nowrap dim">{[each.isHistorized && "history", each.isAlarm && "alarm"].filter(Boolean).join(", ")}</td>
                  <td role="cell" class="dim">
                    <Text empty="">{each.description}</Text>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Section>
  );
}

export function Galaxy() {
  const now = frame.value?.galaxy;
  const text = query.value.get("q") ?? "";
  const chosen = query.value.get("object") ?? "";
  const choose = (tagName: string) => setQuery({ object: tagName });
  const [watched, setWatched] = useState<string[]>(storedTags);
  const watch = (tags: string[]) => {
    const next = [...new Set(tags)].slice(0, 50);
    setWatched(next);
    store("mxgw.watch", JSON.stringify(next));
  };
  return (
    <>
      {now && (
        <p class="sum">
          <State tone={now.status === "healthy" ? "good" : now.status === "unavailable" ? "bad" : "warn"}>{now.status}</State>{" "}
          <span class="dim">
            {count(now.objects)} objects, {count(now.attributes)} attributes
            {now.deployTime && <>, deployed {now.deployTime.slice(0, 19).replace("T", " ")} (the database's own time)</>}
            {now.isRestored && ", from the snapshot of before"}
            {now.reason && `: ${now.reason}`}
          </span>
        </p>
      )}
      {watched.length > 0 && <WatchList tags={watched} onChange={watch} />}
      <SavedLists tags={watched} onChange={watch} />
      <div class="split">
        <div class="side">
          <label class="search">
            <span class="unseen">Search by tag name</span>
            <input type="search" placeholder="Tag name" value={text} onInput={(event) => setQuery({ q: event.currentTarget.value })} />
          </label>
          {text ? <Found text={text} onChoose={choose} /> : <Tree chosen={chosen} onChoose={choose} />}
        </div>
        <div class="main">
          {chosen ? (
            <Attributes key={chosen} tagName={chosen} watched={watched} onWatch={watch} />
          ) : (
            <Empty title="Choose an object">Its attributes are shown here with their types, units and who may write them.</Empty>
          )}
        </div>
      </div>
    </>
  );
}
