// What became of what was asked for alarms, in words.

export interface Result {
  outcome?: string;
  diagnosticMessage?: string;
}

const WORDS: Record<string, string> = {
  ACCEPTED: "passed on to the plant, which has not shown the change yet",
  ACKNOWLEDGED: "acknowledged",
  ALREADY_ACKNOWLEDGED: "acknowledged before",
  NOT_SHELVED: "not shelved before",
  NOT_FOUND: "not in the list any more",
  SUPERSEDED: "replaced by a new occurrence",
  AMBIGUOUS: "not to be told from others of that name",
  DENIED: "not yours to change",
  REFUSED: "refused by the plant",
  UNAVAILABLE: "not reached, as the plant is away",
  TIMED_OUT: "without an answer of the plant",
};

/** One sentence of all results; `done` says what DONE means here. */
export function told(results: Result[], done = "done"): string {
  const kinds = results.map((each) => {
    const kind = (each.outcome ?? "").replace(/^ALARM_(ACK|SHELVE)_OUTCOME_/, "");
    return WORDS[kind] ?? (kind === "DONE" ? done : kind.toLowerCase().replaceAll("_", " "));
  });
  const [first] = results;
  if (first && results.length === 1) return `The alarm: ${kinds[0]}${first.diagnosticMessage ? ` (${first.diagnosticMessage})` : ""}.`;
  const counts = new Map<string, number>();
  for (const kind of kinds) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const texts = [...counts].map(([kind, count]) => (counts.size === 1 ? kind : `${count} ${kind}`));
  return `${results.length} alarms: ${texts.join(", ")}.`;
}
