import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, clock, csvCell, dateTime, duration, plain, rate } from "../src/format.ts";
import { told } from "../src/outcomes.ts";
import { appended, read, summary } from "../src/series.ts";
import { drawable, sorted } from "../src/sorting.ts";
import { isFrame } from "../src/types.ts";

test("rates have the digits that matter", () => {
  assert.deepEqual([0, 0.126, 9.5, 12.34, 1234.5, null, Number.NaN].map(rate), ["0", "0.13", "9.50", "12.3", "1,235", "–", "–"]);
});

test("sizes and lengths of time are told in units that fit", () => {
  assert.deepEqual([0, 1023, 1536, 1048576 * 150].map(bytes), ["0 B", "1023 B", "1.5 KiB", "150 MiB"]);
  assert.deepEqual(
    [0.4, 61, 3700, 90000, -5].map(duration),
    ["0 s", "1 min 01 s", "1 h 01 min", "1 d 1 h", "0 s"],
  );
});

test("times say what their zone says", () => {
  assert.equal(clock(Date.UTC(2026, 2, 29, 1, 30, 5), "UTC"), "01:30:05");
  assert.equal(dateTime(Date.UTC(2026, 2, 29, 1, 30, 5), "UTC"), "2026-03-29 01:30:05");
  assert.equal(clock(null, "UTC"), "–");
});

test("what nobody can see is written out", () => {
  assert.equal(plain("a\u202eb\u0000c\nd\u200b"), "a\\u202eb\\u0000c\\u000ad\\u200b");
  assert.equal(plain("Füllstand <b> 😀"), "Füllstand <b> 😀");
});

test("a cell of a CSV file is no formula", () => {
  assert.equal(csvCell("=HYPERLINK(1)"), "'=HYPERLINK(1)");
  assert.equal(csvCell("@x"), "'@x");
  assert.equal(csvCell("-5"), "-5");
  assert.equal(csvCell("-5+cmd"), "'-5+cmd");
  assert.equal(csvCell('a "b", c'), '"a ""b"", c"');
  assert.equal(csvCell("+x\ny"), '"\'+x\ny"');
});

test("of rows that are new some are drawn at a time, and those that stand there move with them", () => {
  const ids = ["a", "b", "c", "d", "e"];
  assert.equal(drawable(ids, new Set(), 2), 2);
  assert.equal(drawable(ids, new Set(["a", "b"]), 2), 4);
  assert.equal(drawable(ids, new Set(["a", "b", "c", "d"]), 2), 5);
  assert.equal(drawable(ids, new Set(["b", "d", "e"]), 2), 5);
  assert.equal(drawable(ids, new Set(ids), 0), 5);
  assert.equal(drawable([], new Set(["a"]), 2), 0);
});

test("rows are sorted by numbers as numbers and by texts as people read them", () => {
  const column = { id: "a", title: "A", value: (row: string | number) => row };
  assert.deepEqual(sorted(["t10", "t9", "t1"], column, false), ["t1", "t9", "t10"]);
  assert.deepEqual(sorted([10, 9, 100], column, true), [100, 10, 9]);
});

test("a gap in time is a gap in the line, and nothing grows beyond its bound", () => {
  let history = read({ step: 1, series: { a: [1, 2] } }, 10_000);
  assert.deepEqual(history.times, [9, 10]);
  history = appended(history, 11_000, { a: 3 }, 5);
  history = appended(history, 11_000, { a: 9 }, 5);
  assert.deepEqual(history.series.a, [1, 2, 3]);
  history = appended(history, 20_000, { a: 4 }, 5);
  assert.deepEqual(history.series.a, [1, 2, 3, null, 4]);
  assert.equal(appended(history, 21_000, { a: 5 }, 5).times.length, 5);
});

test("a plot is told in a sentence", () => {
  assert.equal(
    summary("Events in", "/s", [{ label: "events", values: [null, 1, 5] }], String),
    "Events in in /s. events: now 5, lowest 1, highest 5, rising.",
  );
});

test("what is no frame is not shown", () => {
  for (const other of [null, 1, "x", {}, { n: 1, at: 2, sessions: 3 }]) assert.equal(isFrame(other), false);
});

test("what became of alarms is told in words, and counted where it differs", () => {
  const outcome = (kind: string, diagnosticMessage = "") => ({ outcome: kind, diagnosticMessage });
  assert.equal(told([outcome("ALARM_SHELVE_OUTCOME_DONE")], "shelved"), "The alarm: shelved.");
  assert.equal(
    told([outcome("ALARM_ACK_OUTCOME_REFUSED", "the comment is missing")]),
    "The alarm: refused by the plant (the comment is missing).",
  );
  assert.equal(told([outcome("ALARM_SHELVE_OUTCOME_DONE"), outcome("ALARM_SHELVE_OUTCOME_DONE")], "shelved"), "2 alarms: shelved.");
  assert.equal(
    told([outcome("ALARM_ACK_OUTCOME_ACKNOWLEDGED"), outcome("ALARM_ACK_OUTCOME_SUPERSEDED"), outcome("ALARM_ACK_OUTCOME_ACKNOWLEDGED")]),
    "3 alarms: 2 acknowledged, 1 replaced by a new occurrence.",
  );
  assert.equal(told([outcome("ALARM_ACK_OUTCOME_SOMETHING_NEW")]), "The alarm: something new.");
});
