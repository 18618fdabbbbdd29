/** The command line: what it prints, and with which code it ends. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { create } from "@bufbuild/protobuf";

import { execute } from "../src/cli/program.js";
import { messageJson } from "../src/cli/json.js";
import { parseValue } from "../src/cli/valueParsing.js";
import { MxValueSchema } from "../src/gen/mxaccess_gateway_pb.js";
import { mx } from "../src/index.js";
import { FakeGateway, change } from "./fakeGateway.js";

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(
  argv: readonly string[],
  lines: readonly string[] = [],
  signal = new AbortController().signal,
): Promise<Outcome> {
  const [out, err]: [string[], string[]] = [[], []];
  const output = { out: (line: string): void => void out.push(line), err: (line: string): void => void err.push(line) };
  async function* input(): AsyncGenerator<string> {
    for (const line of lines) yield await Promise.resolve(line);
  }
  const code = await execute(argv, output, signal, input());
  return { code, out: out.join("\n"), err: err.join("\n") };
}

async function withGateway(work: (connect: readonly string[], fake: FakeGateway) => Promise<void>): Promise<void> {
  const fake = await FakeGateway.start();
  try {
    await work(["--endpoint", fake.endpoint, "--plaintext"], fake);
  } finally {
    fake.stop();
  }
}

const SERVER = ["--session-id", "s", "--server-handle", "1"];

test("a command prints one JSON document, or a short line", async () => {
  await withGateway(async (connect, fake) => {
    const found = await run(["subscribe-bulk", ...connect, ...SERVER, "--items", "A.B, Bad.C", "--json"]);
    assert.equal(found.code, 0);
    const results = (JSON.parse(found.out) as { results: { tagAddress: string; wasSuccessful: boolean }[] }).results;
    assert.deepEqual(
      results.map((each) => [each.tagAddress, each.wasSuccessful]),
      [
        ["A.B", true],
        ["Bad.C", false],
      ],
    );
    assert.equal((await run(["ping", ...connect, "--session-id", "s", "--message", "hello"])).out, "hello");
    assert.equal((await run(["version"])).out, "mxgw-ts 0.1.0");
    assert.equal(fake.commands.length, 2);
  });
});

test("a wrong command line is code 2, before anything is sent", async () => {
  await withGateway(async (connect, fake) => {
    const item = [...SERVER, "--item-handle", "2"];
    for (const [argv, words] of [
      [["nope"], /unknown command/],
      [["ping", ...connect], /--session-id/],
      [["write", ...connect, ...item, "--type", "int32", "--value", "abc"], /--value: 'abc' is no int32/],
      [["write", ...connect, ...item, "--type", "other", "--value", "1"], /choose from/],
      [
        ["write-bulk", ...connect, ...SERVER, "--item-handles", "1,2", "--type", "int32", "--values", "1"],
        /have to match/,
      ],
      [["read-bulk", ...connect, ...SERVER, "--items", "A,,B"], /empty reference/],
      [["read-bulk", ...connect, ...SERVER, "--items", "A", "--timeout-ms", "-1"], /at least 0/],
      [["ping", "--endpoint", "http://x", "--session-id", "s"], /has a scheme/],
      [["ping", ...connect, "--tls", "--session-id", "s"], /exclude each other/],
      [["ping", ...connect, "--session-id", "s", "--api-key-env", "NO_SUCH_VARIABLE"], /NO_SUCH_VARIABLE/],
    ] as const) {
      const found = await run(argv);
      assert.deepEqual([found.code, found.out], [2, ""], argv.join(" "));
      assert.match(found.err, words);
    }
    assert.equal(fake.commands.length, 0);
  });
});

test("a failure is one line on stderr with code 1, without the key", async () => {
  const found = await run([
    "ping",
    "--endpoint",
    "localhost:1",
    "--plaintext",
    "--session-id",
    "s",
    "--api-key",
    "mxgw_a_sentinel",
  ]);
  assert.equal(found.code, 1);
  assert.match(found.err, /^Error: cannot reach localhost:1 .*nothing listens there/);
  assert.doesNotMatch(found.err, /sentinel/);
});

test("batch answers each line, and goes on after one that fails", async () => {
  await withGateway(async (connect) => {
    const where = connect.join(" ");
    const lines = ["\uFEFFversion", "", `ping ${where} --session-id s --message "a b"`, "ping 'open", "batch", "nope"];
    const { code, out } = await run(["batch"], lines);
    assert.equal(code, 0);
    const records = out.split("__MXGW_BATCH_EOR__").map((each) => each.trim());
    assert.deepEqual(records.slice(0, 3), ["mxgw-ts 0.1.0", "", "a b"]);
    for (const record of records.slice(3, 6)) assert.equal((JSON.parse(record) as { type: string }).type, "error");
    assert.equal(records.length, lines.length + 1);
  });
});

test("a stream ends with its number, its time, and an interrupt, each with code 0 and valid JSON", async () => {
  await withGateway(async (connect, fake) => {
    fake.onStream = (_, send) => {
      send(change(1), change(2));
    };
    const stream = ["stream-events", ...connect, "--session-id", "s", "--json"];
    const over = new AbortController();
    for (const [argv, events, signal] of [
      [[...stream, "--max-events", "1"], 1, undefined],
      [[...stream, "--duration", "0.2"], 2, undefined],
      [stream, 2, over.signal],
    ] as const) {
      if (signal !== undefined) {
        fake.onStream = (_, send) => {
          send(change(1), change(2));
          setTimeout(() => {
            over.abort(new Error("interrupted"));
          }, 100);
        };
      }
      const found = await run(argv, [], signal);
      assert.equal(found.code, 0, found.err);
      assert.equal((JSON.parse(found.out) as { events: unknown[] }).events.length, events);
    }
  });
});

test("who interrupts before there is a connection gets code 130", async () => {
  await withGateway(async (connect) => {
    const over = new AbortController();
    over.abort(new Error("interrupted"));
    assert.equal((await run(["stream-events", ...connect, "--session-id", "s"], [], over.signal)).code, 130);
  });
});

test("floats have the fewest digits that give them back, and sequences are texts", () => {
  assert.equal(JSON.stringify(messageJson(MxValueSchema, mx.float(0.1))["floatValue"]), "0.1");
  assert.equal(messageJson(MxValueSchema, mx.int64(5n))["int64Value"], "5");
  assert.deepEqual(messageJson(MxValueSchema, create(MxValueSchema)), {
    dataType: "MX_DATA_TYPE_UNSPECIFIED",
    variantType: "",
    isNull: false,
    rawDiagnostic: "",
    rawDataType: 0,
  });
});

test("what a value looks like on the command line", () => {
  for (const [text, type, wanted] of [
    ["-5", "int32", mx.int32(-5)],
    ["0:01:30", "elapsed", mx.elapsed(90)],
    ["[1, 2]", "int32[]", mx.int32([1, 2])],
    ['a,"b, c"', "string[]", mx.string(["a", "b, c"])],
    [
      "[[1, 2], [3, 4]]",
      "double[]",
      mx.double([
        [1, 2],
        [3, 4],
      ]),
    ],
    ["yes", "bool", mx.bool(true)],
  ] as const) {
    assert.deepEqual(parseValue(text, type, "--value"), wanted);
  }
  for (const [text, type] of [
    ["", "int32[]"],
    ["1,5", "double"],
    ["nan", "float"],
    ["2026-01-31T12:00:00", "timestamp"],
    ["3000000000", "int32"],
  ] as const) {
    assert.throws(() => parseValue(text, type, "--value"), /^ValueParseError: --value: /);
  }
});
