/** The feed of a subscription beside a session whose answers come in the order of the test: no order of turns mixes events. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { create } from "@bufbuild/protobuf";

import { ChangeFeed } from "../src/changeFeed.js";
import { ChangeQueue } from "../src/changeQueue.js";
import { type MxEvent, SubscribeResultSchema } from "../src/gen/mxaccess_gateway_pb.js";
import type { Session } from "../src/session.js";
import { SubscribedItems } from "../src/subscribedItems.js";
import { change } from "./fakeGateway.js";

/** A promise, and what keeps it. */
function promised<T>(): { promise: Promise<T>; keep: (value: T) => void } {
  let keep: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolve) => {
    keep = resolve;
  });
  return { promise, keep };
}

/** So many turns of promises, none of the event loop. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await Promise.resolve();
}

for (let later = -8; later <= 8; later += 1)
  test(`what waited for the reply comes before what follows ${later} turns behind it`, async () => {
    const [first, second, reply, asked] = [promised<MxEvent[]>(), promised<MxEvent[]>(), promised(), promised()];
    const over = new AbortController();
    const stream = {
      opened: Promise.resolve(true),
      replayedEvents: 0,
      close: () => undefined,
      async *batches() {
        yield await first.promise;
        yield await second.promise;
        await new Promise((_, reject) => {
          over.signal.addEventListener("abort", () => {
            reject(new Error("over"));
          });
        });
      },
    };
    const session = {
      capabilities: new Set(),
      maxBulkItems: 1000,
      closed: false,
      events: () => stream,
      register: async () => await Promise.resolve(1),
      unregister: async () => {
        await Promise.resolve();
      },
      unsubscribeBulk: async () => await Promise.resolve([]),
      subscribeBulk: async () => {
        asked.keep(undefined);
        await reply.promise;
        return [create(SubscribeResultSchema, { wasSuccessful: true, itemHandle: 1 })];
      },
    } as unknown as Session;
    const queue = new ChangeQueue(10, "drop_oldest", () => undefined);
    const feed = new ChangeFeed(new SubscribedItems(["A.B"], false), queue, {
      openSession: async () => await Promise.resolve(session),
      ownsSessions: false,
      reconnects: false,
      firstDelayMs: undefined,
      onEnded: () => undefined,
    });
    const running = feed.run(over.signal);
    await asked.promise;
    first.keep([change(1, 1)]);
    await turns(20);
    if (later < 0) second.keep([change(2, 1)]);
    await turns(-later);
    reply.keep(undefined);
    await turns(later);
    second.keep([change(2, 1)]);
    const changes = [await queue.take(), await queue.take()];
    assert.deepEqual(
      changes.map((each) => each?.value),
      [1, 2],
    );
    over.abort(new Error("the test is over"));
    await running;
  });
