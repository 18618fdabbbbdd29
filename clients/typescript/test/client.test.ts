/** Calls, errors, cancelling, and what closing leaves behind. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { type ServerHttp2Session, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { promisify } from "node:util";

import { create } from "@bufbuild/protobuf";
import { status as Code } from "@grpc/grpc-js";

import { MxCommandReplySchema, ProtocolStatusCode } from "../src/gen/mxaccess_gateway_pb.js";
import {
  GatewayClient,
  MxAccessError,
  MxGatewayCommandError,
  MxGatewayConnectionError,
  MxGatewayError,
  MxGatewayProtocolError,
  MxGatewayTimeoutError,
  MxGatewayTransportError,
  MxGatewayWorkerError,
  nextCorrelationId,
} from "../src/index.js";
import { Abort, FakeGateway, change } from "./fakeGateway.js";

async function withClient(
  work: (client: GatewayClient, fake: FakeGateway) => Promise<void>,
  more: object = {},
): Promise<void> {
  const fake = await FakeGateway.start();
  const client = await GatewayClient.connect({ endpoint: fake.endpoint, plaintext: true, ...more });
  try {
    await work(client, fake);
  } finally {
    await client.close();
    fake.stop();
  }
}

test("a session is opened, used and closed once, however often it is asked to", async () => {
  await withClient(async (client, fake) => {
    const session = await client.openSession({ clientSessionName: "me" });
    assert.equal(await session.ping("hello"), "hello");
    await Promise.all([session.close(), session.close()]);
    await session.close();
    assert.equal(fake.calls.get("CloseSession"), 1);
    assert.ok(session.closed);
  });
});

test("a failure of MXAccess is an error with HRESULT and reply, and stays in the reply of invokeRaw", async () => {
  await withClient(async (client, fake) => {
    const reply = create(MxCommandReplySchema, {
      protocolStatus: { code: ProtocolStatusCode.MXACCESS_FAILURE },
      hresult: -2147024809,
    });
    fake.answers.set("advise", () => reply);
    const session = await client.openSession();
    await assert.rejects(session.advise(1, 2), (error) => {
      assert.ok(error instanceof MxAccessError && error instanceof MxGatewayCommandError && MxGatewayError.is(error));
      assert.equal(error.hresult, -2147024809);
      assert.match(error.message, /Advise failed in MXAccess, HRESULT 0x80070057/);
      return true;
    });
  });
});

test("a reply without its payload is a protocol error, never a handle 0", async () => {
  await withClient(async (client, fake) => {
    fake.answers.set("addItem", () =>
      create(MxCommandReplySchema, { protocolStatus: { code: ProtocolStatusCode.OK } }),
    );
    const session = await client.openSession();
    await assert.rejects(session.addItem(1, "A.B"), MxGatewayProtocolError);
  });
});

test("a cause within a reply decides the class", async () => {
  await withClient(async (client, fake) => {
    const protocolStatus = {
      code: ProtocolStatusCode.SESSION_NOT_READY,
      reason: "WORKER_EXITED",
      retryAfter: { seconds: 2n },
    };
    fake.answers.set("ping", () => create(MxCommandReplySchema, { protocolStatus }));
    const session = await client.openSession();
    await assert.rejects(session.ping(), (error) => {
      assert.ok(error instanceof MxGatewayWorkerError);
      assert.deepEqual([error.reason, error.retryAfterMs], ["WORKER_EXITED", 2000]);
      return true;
    });
  });
});

test("a signal ends a call with its own reason, a deadline with a timeout, and the key is in no text", async () => {
  await withClient(
    async (client, fake) => {
      fake.answers.set("ping", () => new Promise(() => undefined));
      const session = await client.openSession();
      const over = new AbortController();
      const waiting = session.ping("x", { signal: over.signal });
      over.abort();
      await assert.rejects(waiting, { name: "AbortError" });
      await assert.rejects(session.ping("x", { timeoutMs: 50 }), MxGatewayTimeoutError);
      fake.answers.set("ping", () => Promise.reject(new Abort(Code.UNAUTHENTICATED, "bad key mxgw_id_sentinel")));
      await assert.rejects(session.ping("x"), (error) => {
        assert.ok(error instanceof MxGatewayError);
        assert.doesNotMatch(`${error.message} ${error.stack ?? ""}`, /sentinel/);
        return true;
      });
    },
    { apiKey: "mxgw_id_sentinel" },
  );
});

test("only what changes nothing is repeated", async () => {
  await withClient(
    async (client, fake) => {
      let tries = 0;
      const unavailable = (): never => {
        tries += 1;
        throw new Abort(Code.UNAVAILABLE, "going away");
      };
      fake.answers.set("ping", unavailable);
      fake.answers.set("write", unavailable);
      const session = await client.openSession();
      await assert.rejects(session.ping(), MxGatewayConnectionError);
      assert.equal(tries, 3);
      tries = 0;
      await assert.rejects(session.write(1, 2, 3), MxGatewayConnectionError);
      assert.equal(tries, 1);
    },
    { retry: { maxAttempts: 3, initialDelayMs: 1, maxDelayMs: 2 } },
  );
});

test("a clock that is set meanwhile moves no deadline", async () => {
  const { now } = Date;
  const retry = { maxAttempts: 2, initialDelayMs: 0, maxDelayMs: 0 };
  const hour = 3_600_000;
  try {
    await withClient(
      async (client, fake) => {
        const session = await client.openSession();
        const setTo = (offset: number): void => {
          Date.now = () => now() + offset;
        };
        let attempts = 0;
        fake.answers.set("ping", () => {
          attempts += 1;
          setTo(hour);
          if (attempts === 1) throw new Abort(Code.UNAVAILABLE);
          return create(MxCommandReplySchema, { protocolStatus: { code: ProtocolStatusCode.OK } });
        });
        await session.ping("x", { timeoutMs: 60_000 });
        assert.equal(attempts, 2);
        // And back: the second attempt has no more time than the call.
        fake.answers.set("ping", () => {
          attempts += 1;
          setTo(-hour);
          if (attempts === 3) throw new Abort(Code.UNAVAILABLE);
          return create(MxCommandReplySchema, { protocolStatus: { code: ProtocolStatusCode.OK } });
        });
        await session.ping("x", { timeoutMs: 60_000 });
        assert.equal(attempts, 4);
        assert.ok(fake.limitMs <= 60_000, String(fake.limitMs));
      },
      { retry },
    );
  } finally {
    Date.now = now;
  }
});

test("a limit that is longer than a timer of Node's is none", async () => {
  const forever = 2 ** 32;
  await withClient(
    async (client, fake) => {
      fake.capabilities = ["command-stream"];
      const session = await client.openSession();
      assert.equal(await session.ping("x"), "");
      // A part of a nanosecond does not make a second of 1,000,000,000 of them.
      await session.ping("x", { timeoutMs: 1999.999_999_9 });
      assert.deepEqual(
        fake.batches.map(({ timeout }) => [timeout?.seconds, timeout?.nanos]),
        [
          [4_294_967n, 296_000_000],
          [2n, 0],
        ],
      );
    },
    { callTimeoutMs: forever, connectTimeoutMs: forever },
  );
});

test("states of the connection that turn while nobody waits are told, and its end is one", async () => {
  const fake = await FakeGateway.start();
  const client = new GatewayClient({ endpoint: fake.endpoint, plaintext: true });
  const states = client.connectionStates()[Symbol.asyncIterator]();
  assert.equal((await states.next()).value, "idle");
  const session = await client.openSession();
  await session.ping();
  assert.equal((await states.next()).value, "connected");
  await client.close();
  assert.deepEqual(await states.next(), { done: false, value: "closed" });
  assert.equal((await states.next()).done, true);
  fake.stop();
});

test("closing the client ends what is under way", async () => {
  const fake = await FakeGateway.start();
  fake.answers.set("ping", () => new Promise(() => undefined));
  const client = await GatewayClient.connect({ endpoint: fake.endpoint, plaintext: true });
  const session = await client.openSession();
  const waiting = session.ping();
  const reading = session.events().next();
  await client.close();
  await assert.rejects(waiting, MxGatewayTransportError);
  await assert.rejects(reading, MxGatewayTransportError);
  await assert.rejects(session.ping(), /the client is closed/);
  fake.stop();
});

test("a gateway may send a mebibyte before it has to hear that some of it was taken", async () => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = new GatewayClient({ endpoint: `127.0.0.1:${port}`, plaintext: true });
  try {
    const accepted = once(server, "session");
    const called = client.openSession().catch((error: unknown) => error);
    const [session] = (await accepted) as [ServerHttp2Session];
    await once(session, "remoteSettings");
    assert.equal(session.remoteSettings.initialWindowSize, 2 ** 20);
    await client.close();
    assert.ok((await called) instanceof MxGatewayTransportError);
  } finally {
    await client.close();
    server.close();
  }
});

test("correlation ids are unique", () => {
  assert.equal(new Set(Array.from({ length: 10_000 }, nextCorrelationId)).size, 10_000);
});

test("a program ends by itself once its client is closed", async () => {
  const fake = await FakeGateway.start();
  const program = `
    const { GatewayClient } = await import(${JSON.stringify(new URL("../src/index.js", import.meta.url).href)});
    const client = await GatewayClient.connect({ endpoint: "${fake.endpoint}", plaintext: true });
    const session = await client.openSession();
    const subscription = client.subscribe(["A.B"]);
    await subscription.start();
    await subscription.close();
    await session.close();
    await client.close();
    console.log("closed");`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], {
    timeout: 20_000,
  });
  assert.equal(stdout.trim(), "closed");
  fake.stop();
});

test("a message in front of a failure comes, however late somebody asks for it", async () => {
  await withClient(async (client, fake) => {
    fake.onStream = (stream, send) => {
      send(change(1));
      stream.emit("error", Object.assign(new Error("gone"), { code: Code.UNAVAILABLE, details: "gone" }));
    };
    const session = await client.openSession();
    const stream = session.events();
    // Over the same connection: what the stream was sent is here before the answer.
    while (fake.streams.length === 0 || fake.openStreams > 0) await session.ping("");
    await session.ping("");
    assert.equal((await stream.next()).value?.workerSequence, 1n);
    await assert.rejects(stream.next(), (error) => error instanceof MxGatewayConnectionError);
  });
});
