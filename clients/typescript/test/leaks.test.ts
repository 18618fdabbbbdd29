/** A thousand times of everything leaves nothing: no stream, socket, timer or listener. */

import assert from "node:assert/strict";
import { getEventListeners, setMaxListeners } from "node:events";
import { test } from "node:test";

import { GatewayClient, MxGatewayTimeoutError } from "../src/index.js";
import { FakeGateway, change } from "./fakeGateway.js";

const TIMES = 1000;

/** What keeps a process alive, by kind. */
function resources(): Record<string, number> {
  const found: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) found[kind] = (found[kind] ?? 0) + 1;
  return found;
}

/** Waits until a condition holds, with a deadline. */
async function eventually(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!holds()) {
    assert.ok(performance.now() < deadline, `${what}: ${JSON.stringify(resources())}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** So many times, a hundred of them at once. */
async function often(work: () => Promise<void>): Promise<void> {
  const one = async (): Promise<void> => {
    for (let index = 0; index < TIMES / 100; index += 1) await work();
  };
  await Promise.all(Array.from({ length: 100 }, one));
}

async function leavesNothing(
  work: (client: GatewayClient, fake: FakeGateway, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const fake = await FakeGateway.start();
  const client = await GatewayClient.connect({ endpoint: fake.endpoint, plaintext: true });
  const { signal } = new AbortController();
  setMaxListeners(TIMES, signal);
  try {
    const before = resources();
    await work(client, fake, signal);
    assert.deepEqual(getEventListeners(signal, "abort"), []);
    await eventually("streams are left", () => fake.openStreams === 0);
    await eventually("resources are left", () =>
      Object.entries(resources()).every(([kind, count]) => count <= (before[kind] ?? 0) + (kind === "Timeout" ? 1 : 0)),
    );
  } finally {
    await client.close();
    fake.stop();
  }
}

test("a thousand sessions that are opened and closed", async () => {
  await leavesNothing(async (client, fake, signal) => {
    await often(async () => {
      const session = await client.openSession({ signal });
      await session.close({ signal });
    });
    assert.equal(fake.calls.get("CloseSession"), TIMES);
  });
});

test("a thousand calls that are cancelled, and as many that last too long", async () => {
  await leavesNothing(async (client, fake) => {
    await using session = await client.openSession();
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    fake.answers.set("ping", async () => {
      await held;
      throw new Error("nobody waits any more");
    });
    await often(async () => {
      const given = new AbortController();
      const call = session.ping("x", { signal: given.signal });
      given.abort();
      await assert.rejects(call, { name: "AbortError" });
      assert.deepEqual(getEventListeners(given.signal, "abort"), []);
      await assert.rejects(session.ping("x", { timeoutMs: 1 }), MxGatewayTimeoutError);
    });
    release();
    fake.answers.delete("ping");
    assert.equal(await session.ping("y"), "y");
  });
});

test("a thousand streams of events that somebody leaves", async () => {
  await leavesNothing(async (client, fake, signal) => {
    fake.onStream = (_, send) => {
      send(change(1));
    };
    await using session = await client.openSession();
    for (let index = 0; index < TIMES; index += 1) {
      const events = session.events({ signal })[Symbol.asyncIterator]();
      assert.equal((await events.next()).done, false);
      await events.return();
    }
    assert.equal(fake.streams.length, TIMES);
  });
});

test("batches of events that somebody leaves, and streams that are closed without a look", async () => {
  await leavesNothing(async (client, fake, signal) => {
    fake.onStream = (_, send) => {
      send(change(1));
    };
    await using session = await client.openSession();
    for (let index = 0; index < 50; index += 1) {
      for await (const batch of session.events({ signal }).batches()) if (batch.length > 0) break;
      const events = session.events({ signal });
      await events.opened;
      events.close();
    }
  });
});

test("subscriptions that come and go", async () => {
  await leavesNothing(async (client, fake, signal) => {
    fake.onStream = (_, send) => {
      send(change(1));
    };
    for (let index = 0; index < 50; index += 1) {
      await using subscription = client.subscribe(["A.B"], { signal });
      await subscription.start();
    }
    assert.equal(fake.calls.get("CloseSession"), 50);
  });
});
