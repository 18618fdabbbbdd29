/** The benches: what feeds which figure, and what is no measure. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { create } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";

import { execute } from "../src/cli/program.js";
import { MxCommandReplySchema, MxEventSchema, ProtocolStatusCode } from "../src/gen/mxaccess_gateway_pb.js";
import { Abort, FakeGateway, change } from "./fakeGateway.js";

interface Latency {
  readonly max: number;
}

interface Report {
  readonly [name: string]: number | string | Latency;
  readonly latencyMs: Latency;
  readonly failureLatencyMs: Latency;
}

const OK = { code: ProtocolStatusCode.OK, message: "OK" };
const READ = ["bench-read-bulk", "--duration-seconds", "0.1", "--warmup-seconds", "0", "--bulk-size", "2"];
const STREAM = ["bench-stream-events", "--duration-seconds", "1", "--warmup-seconds", "0", "--bulk-size", "1"];

async function bench(
  argv: readonly string[],
  prepare: (fake: FakeGateway) => void,
): Promise<{ code: number; report: Report | undefined; err: string }> {
  const fake = await FakeGateway.start();
  prepare(fake);
  const [out, err]: [string[], string[]] = [[], []];
  const output = { out: (line: string): void => void out.push(line), err: (line: string): void => void err.push(line) };
  try {
    const connect = ["--endpoint", fake.endpoint, "--plaintext"];
    const code = await execute([...argv, ...connect], output, new AbortController().signal);
    const said = out.join("\n");
    return { code, report: said ? (JSON.parse(said) as Report) : undefined, err: err.join("\n") };
  } finally {
    fake.stop();
  }
}

function reads(fake: FakeGateway, entry: { wasSuccessful: boolean; wasCached: boolean }): void {
  fake.answers.set("readBulk", (request) =>
    create(MxCommandReplySchema, {
      correlationId: request.clientCorrelationId,
      protocolStatus: OK,
      payload: { case: "readBulk", value: { results: [entry, entry] } },
    }),
  );
}

test("calls that fail feed failureLatencyMs alone", async () => {
  let calls = 0;
  const found = await bench(READ, (fake) => {
    reads(fake, { wasSuccessful: true, wasCached: true });
    const answer = fake.answers.get("readBulk");
    fake.answers.set("readBulk", (request) => {
      calls += 1;
      if (calls % 2 === 1 || answer === undefined) throw new Abort(grpc.status.INTERNAL, "broken");
      return answer(request);
    });
  });
  const { report } = found;
  assert.ok(report !== undefined, found.err);
  // However few calls there was time for, the first one failed.
  const successes = Math.floor(calls / 2);
  assert.equal(report["totalCalls"], calls);
  assert.equal(report["failedCalls"], calls - successes);
  assert.equal(report["successfulCalls"], successes);
  assert.equal(report["totalReadResults"], 2 * successes);
  assert.ok(report.failureLatencyMs.max > 0);
  assert.equal(report.latencyMs.max > 0, successes > 0);
  assert.equal(found.code, successes > 0 ? 0 : 1, found.err);
});

for (const [name, entry, words] of [
  [
    "unreadable tags",
    { wasSuccessful: false, wasCached: true },
    /results were failures; is TestMachine_001\.\S+ a tag/,
  ],
  ["uncached values", { wasSuccessful: true, wasCached: false }, /not cached, so they measure the plant/],
] as const) {
  test(`${name} are no measure`, async () => {
    const found = await bench(READ, (fake) => {
      reads(fake, entry);
    });
    assert.equal(found.code, 1);
    assert.match(found.err, words);
    assert.ok(Number(found.report?.["totalCalls"]) > 0);
  });
}

test("calls that all fail are no measure", async () => {
  const found = await bench(READ, (fake) => {
    fake.answers.set("readBulk", () => {
      throw new Abort(grpc.status.INTERNAL, "broken");
    });
  });
  assert.equal(found.code, 1);
  assert.match(found.err, /no call succeeded: .*broken/);
  assert.equal(found.report?.latencyMs.max, 0);
});

test("a tag that is refused ends both benches before they measure", async () => {
  for (const argv of [READ, STREAM]) {
    const found = await bench([...argv, "--tag-prefix", "Bad"], () => undefined);
    assert.equal(found.code, 1);
    assert.match(found.err, /a tag was refused: Bad001/);
    assert.equal(found.report, undefined);
  }
});

test("events are counted by themselves, and what was lost as the gateway says", async () => {
  const found = await bench(STREAM, (fake) => {
    fake.onStream = (stream, send) => {
      let sequence = 0;
      const timer = setInterval(() => {
        // Sequences of other sessions lie between those of one.
        send(change((sequence += 10)), create(MxEventSchema, { replayGap: { droppedEvents: 3n } }));
      }, 5);
      stream.on("close", () => {
        clearInterval(timer);
      });
    };
  });
  assert.equal(found.code, 0, found.err);
  const events = Number(found.report?.["totalEvents"]);
  assert.ok(events > 0);
  assert.equal(found.report?.["lostEvents"], 3 * events);
});

test("a stream without an event, and one that fails, end the bench with code 1", async () => {
  const silent = await bench(STREAM, () => undefined);
  assert.equal(silent.code, 1);
  assert.match(silent.err, /no tag changed; is TestMachine_001/);
  const broken = await bench([...STREAM, "--duration-seconds", "60"], (fake) => {
    fake.onStream = (stream): void => {
      stream.emit("error", { code: grpc.status.FAILED_PRECONDITION, details: "the session is over" });
    };
  });
  assert.equal(broken.code, 1);
  assert.match(broken.err, /an event stream ended: .*the session is over/);
});
