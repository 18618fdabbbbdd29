#!/usr/bin/env node
/** The program `mxgw-ts`. */

import { createInterface } from "node:readline";

import { Interrupt, execute } from "./program.js";

const AGAIN_WITHIN_MS = 500;

const interrupted = new AbortController();
let interruptedAt = 0;
function interrupt(signal: NodeJS.Signals): void {
  const now = performance.now();
  // Whoever presses twice, after what a finger does by itself, does not want to wait.
  if (interruptedAt > 0 && now - interruptedAt > AGAIN_WITHIN_MS) process.exit(130);
  interruptedAt = interruptedAt || now;
  interrupted.abort(new Interrupt(signal));
}
process.on("SIGINT", interrupt);
process.on("SIGTERM", interrupt);
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // Whoever read has left.
  process.exit(error.code === "EPIPE" ? 0 : 1);
});

const output = {
  out: (line: string): void => {
    process.stdout.write(`${line}\n`);
  },
  err: (line: string): void => {
    process.stderr.write(`${line}\n`);
  },
};
const isBatch = process.argv[2] === "batch";
const lines = isBatch ? createInterface({ input: process.stdin, crlfDelay: Infinity }) : undefined;
process.exitCode = await execute(process.argv.slice(2), output, interrupted.signal, lines);
lines?.close();
