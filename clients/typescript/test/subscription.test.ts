/** Subscriptions over interruptions: what comes again, what is new, and what ends them. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { status as Code } from "@grpc/grpc-js";

import { ChangeQueue } from "../src/changeQueue.js";
import {
  type DataChange,
  GatewayClient,
  MxGatewayAuthorizationError,
  MxGatewayConnectionError,
  MxGatewayOverflowError,
  type Subscription,
} from "../src/index.js";
import { delayMs } from "../src/subscriptionRules.js";
import { Abort, FakeGateway, change } from "./fakeGateway.js";

async function withSubscription(
  prepare: (fake: FakeGateway) => void,
  work: (subscription: Subscription, fake: FakeGateway) => Promise<void>,
  tags = ["A.B", "A.C"],
): Promise<void> {
  const fake = await FakeGateway.start();
  prepare(fake);
  const client = await GatewayClient.connect({ endpoint: fake.endpoint, plaintext: true });
  try {
    await using subscription = client.subscribe(tags, { firstDelayMs: 1 });
    await work(subscription, fake);
  } finally {
    await client.close();
    fake.stop();
  }
}

async function take(subscription: Subscription, count: number): Promise<DataChange[]> {
  const found: DataChange[] = [];
  while (found.length < count) {
    const next = await subscription.next();
    assert.ok(!next.done);
    found.push(next.value);
  }
  return found;
}

test("values that come before the reply that tells their handles are not lost", async () => {
  await withSubscription(
    (fake) => {
      fake.onStream = (_, send) => {
        send(change(1, 1), change(2, 2));
      };
    },
    async (subscription) => {
      const changes = await take(subscription, 2);
      assert.deepEqual(
        changes.map(({ tag, value }) => [tag, value]),
        [
          ["A.B", 1],
          ["A.C", 2],
        ],
      );
      assert.deepEqual([...subscription.failures], [["Bad.Tag", "no such tag"]]);
    },
    ["A.B", "A.C", "Bad.Tag"],
  );
});

test("a broken stream goes on after the last change, without repetition", async () => {
  await withSubscription(
    (fake) => {
      fake.onStream = (stream, send) => {
        if (fake.streams.length === 1) {
          send(change(1), change(2));
          setTimeout(
            () => stream.emit("error", Object.assign(new Error("gone"), { code: Code.UNAVAILABLE, details: "gone" })),
            50,
          );
        } else send(change(2), change(3));
      };
    },
    async (subscription, fake) => {
      const values = (await take(subscription, 3)).map((each) => each.value);
      assert.deepEqual(values, [1, 2, 3]);
      assert.equal(fake.streams[1]?.afterWorkerSequence, 2n);
      assert.deepEqual(
        [subscription.state, subscription.stats.interruptions, subscription.stats.newSessions],
        ["recovered", 1, 0],
      );
      assert.equal(fake.sessions, 1);
    },
  );
});

test("a session that is lost is opened anew, and all tags come again", async () => {
  await withSubscription(
    (fake) => {
      fake.onStream = (stream, send) => {
        const first = fake.sessions === 1;
        send(change(1, first ? 1 : 3, fake.sessions));
        if (first)
          setTimeout(
            () =>
              stream.emit("error", Object.assign(new Error("x"), { code: Code.NOT_FOUND, details: "no such session" })),
            50,
          );
      };
    },
    async (subscription, fake) => {
      const values = (await take(subscription, 2)).map((each) => each.value);
      assert.deepEqual(values, [1, 2]);
      assert.deepEqual([fake.sessions, subscription.stats.newSessions], [2, 1]);
    },
  );
});

test("what no repetition mends ends it, and the consumer is told", async () => {
  await withSubscription(
    (fake) => {
      fake.answers.set("register", () => Promise.reject(new Abort(Code.PERMISSION_DENIED, "invoke:read is missing")));
    },
    async (subscription) => {
      await assert.rejects(subscription.next(), MxGatewayAuthorizationError);
      assert.equal(subscription.state, "closed");
    },
  );
});

test("a key that cannot be had any more ends it, and nothing else", async () => {
  const fake = await FakeGateway.start();
  let isThere = true;
  const apiKey = (): string => {
    if (isThere) return "mxgw_id_secret";
    throw new Error("the vault is closed");
  };
  fake.onStream = (stream, send) => {
    send(change(1));
    setTimeout(() => {
      isThere = false;
      stream.emit("error", Object.assign(new Error("gone"), { code: Code.UNAVAILABLE, details: "gone" }));
    }, 50);
  };
  const client = await GatewayClient.connect({ endpoint: fake.endpoint, plaintext: true, apiKey });
  const subscription = client.subscribe(["A.B"], { firstDelayMs: 1 });
  await take(subscription, 1);
  await assert.rejects(subscription.next(), /the vault is closed/);
  // Nobody has asked how the session ended: an error of that may not end the process.
  await new Promise((resolve) => setTimeout(resolve, 20));
  await subscription.close();
  assert.equal(subscription.state, "closed");
  await client.close();
  fake.stop();
});

test("leaving the loop ends the stream and the session of its own", async () => {
  await withSubscription(
    (fake) => {
      fake.onStream = (_, send) => {
        send(change(1));
      };
    },
    async (subscription, fake) => {
      for await (const each of subscription) {
        assert.equal(each.value, 1);
        break;
      }
      assert.equal(fake.calls.get("CloseSession"), 1);
      while (fake.openStreams > 0) await new Promise((resolve) => setImmediate(resolve));
    },
  );
});

function numbered(value: number): DataChange {
  return {
    tag: "t",
    value,
    quality: 192,
    sourceTimestamp: undefined,
    statuses: [],
    workerSequence: 0n,
    replayed: false,
    recovered: false,
    lostBefore: 0,
    isGood: true,
    raw: change(1),
  };
}

test("a full queue does what its policy says, and counts it", async () => {
  const oldest = new ChangeQueue(2, "drop_oldest", () => undefined);
  for (const value of [1, 2, 3, 4]) oldest.put(numbered(value));
  oldest.end();
  const taken = [await oldest.take(), await oldest.take(), await oldest.take()];
  assert.deepEqual(
    taken.map((each) => each && [each.value, each.lostBefore]),
    [[3, 2], [4, 0], undefined],
  );

  const newest = new ChangeQueue(1, "drop_newest", () => undefined);
  for (const value of [1, 2, 3]) newest.put(numbered(value));
  assert.equal((await newest.take())?.value, 1);
  newest.put(numbered(4));
  assert.deepEqual([(await newest.take())?.lostBefore, newest.dropped], [2, 2]);

  const warned: string[] = [];
  const warning = new ChangeQueue(1, "warn", (text) => warned.push(text));
  for (const value of [1, 2, 3]) warning.put(numbered(value));
  // Each time their number has doubled.
  assert.deepEqual([warning.size, warned.length], [3, 2]);

  const strict = new ChangeQueue(1, "disconnect", () => undefined);
  for (const value of [1, 2]) strict.put(numbered(value));
  assert.equal((await strict.take())?.value, 1);
  await assert.rejects(strict.take(), MxGatewayOverflowError);
});

test("waits double up to the longest, and obey the gateway", () => {
  const { random } = Math;
  try {
    Math.random = () => 1;
    const gone = new MxGatewayConnectionError("gone");
    const waits = [0, 1, 2, 3, 4, 5, 6, 20].map((attempt) => delayMs(attempt, gone));
    assert.deepEqual(waits, [0, 400, 800, 1600, 3200, 5000, 5000, 5000]);
    Math.random = () => 0;
    assert.equal(delayMs(1, gone), 200);
    const asks = new MxGatewayConnectionError("gone", { retryAfterMs: 9000 });
    assert.deepEqual([delayMs(0, asks), delayMs(20, asks)], [9000, 9000]);
  } finally {
    Math.random = random;
  }
});
