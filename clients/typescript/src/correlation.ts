/** Correlation ids: one for every call, to find it again in the gateway's logs and audit. */

import { randomBytes } from "node:crypto";

// One random prefix a process and a counter: unique without a system call for each id.
const PREFIX = randomBytes(8).toString("hex");
let counter = 0;

/** A new correlation id: never empty, unique among processes. The text is opaque: compare it, log it, never parse it. */
export function nextCorrelationId(): string {
  counter += 1;
  return `${PREFIX}-${counter.toString(16)}`;
}
