/** A write that waits for its outcome. */

import { MxAccessError, MxGatewayConnectionError, MxGatewayTimeoutError } from "./errors.js";
import type { EventStream } from "./events.js";
import { type MxEvent, MxEventFamily, type MxValue } from "./gen/mxaccess_gateway_pb.js";
import { isStatusFailure, statusText } from "./quality.js";
import type { Session } from "./session.js";
import { type MxInput, toMxValue } from "./values.js";
import { CAPABILITY_EVENT_BATCHES } from "./version.js";

/** How to write. */
export interface WriteConfirmOptions {
  /** From `register`; without it the write registers, and unregisters at the end. */
  readonly serverHandle?: number;
  readonly userId?: number;
  /** Makes it a signed write (WriteSecured): the verifier's id, or `userId` again where one signature is enough. */
  readonly verifierId?: number;
  /** AdviseSupervisory in place of Advise: secured attributes then take the write without a user. */
  readonly supervisory?: boolean;
  /** Milliseconds for all of it; default 15,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** A write that MXAccess has completed. */
export interface WriteOutcome {
  readonly tag: string;
  /** What was sent. */
  readonly value: MxValue;
  /** The OnDataChange that told the type, with the value before the write. */
  readonly before: MxEvent;
  /** The OnWriteComplete. */
  readonly completion: MxEvent;
}

/** What `Session.writeAndConfirm` does, see there. */
export async function writeAndConfirm(
  session: Session,
  tag: string,
  value: MxInput | ((before: MxEvent) => MxInput),
  options: WriteConfirmOptions,
): Promise<WriteOutcome> {
  const limit = options.timeoutMs ?? 15_000;
  const over = new AbortController();
  const { signal } = over;
  const onAbort = (): void => {
    over.abort(options.signal?.reason);
  };
  options.signal?.throwIfAborted();
  options.signal?.addEventListener("abort", onAbort, { once: true });
  const tooLate = new Error("too late");
  const timer = setTimeout(() => {
    over.abort(tooLate);
  }, limit);
  let isSent = false;
  const handle = options.serverHandle ?? (await session.register(`write ${tag}`, { signal }));
  try {
    const events = session.events({ signal });
    try {
      const itemHandle = await session.addItem(handle, tag, { signal });
      // Beside another stream it gets only what comes once it stands, and a gateway with batches tells when it does.
      if (session.capabilities.has(CAPABILITY_EVENT_BATCHES)) await events.opened;
      try {
        await (options.supervisory
          ? session.adviseSupervisory(handle, itemHandle, { signal })
          : session.advise(handle, itemHandle, { signal }));
        const before = await eventOf(events, itemHandle, MxEventFamily.ON_DATA_CHANGE);
        check(before, `${tag} cannot be written: its first value has failed`);
        const written = toMxValue(typeof value === "function" ? value(before) : value);
        isSent = true;
        if (options.verifierId === undefined) {
          await session.write(handle, itemHandle, written, { userId: options.userId ?? 0, signal });
        } else {
          await session.writeSecured(handle, itemHandle, options.userId ?? 0, options.verifierId, written, { signal });
        }
        const completion = await eventOf(events, itemHandle, MxEventFamily.ON_WRITE_COMPLETE);
        check(completion, `writing ${tag} failed`);
        return { tag, value: written, before, completion };
      } finally {
        await session.unsubscribeBulk(handle, [itemHandle]);
      }
    } finally {
      events.close();
    }
  } catch (error) {
    if (signal.reason !== tooLate || error !== tooLate) throw error;
    const what = isSent ? "sent, but not completed; its outcome is unknown" : "not sent: there was no first value";
    throw new MxGatewayTimeoutError(`writing ${tag}: ${what} within ${limit / 1000} s`, { retryable: !isSent });
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", onAbort);
    if (options.serverHandle === undefined) await session.unregister(handle);
  }
}

async function eventOf(events: EventStream, itemHandle: number, family: MxEventFamily): Promise<MxEvent> {
  for (;;) {
    const found = await events.next();
    if (found.done) throw new MxGatewayConnectionError("the event stream ended during the write");
    if (found.value.itemHandle === itemHandle && found.value.family === family) return found.value;
  }
}

function check(event: MxEvent, what: string): void {
  const failed = event.statuses.filter(isStatusFailure);
  if (failed.length === 0 && (event.hresult ?? 0) >= 0) return;
  throw new MxAccessError(`${what}: ${failed.map(statusText).join(", ") || "no status says why"}`, {
    rawReply: event,
    hresult: event.hresult,
    statuses: event.statuses,
  });
}
