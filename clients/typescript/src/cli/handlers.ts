/** What each command does. */

import { BENCH_COMMANDS } from "./benchCommands.js";
import type { Given } from "./options.js";
import { OTHER_COMMANDS } from "./otherCommands.js";
import { type Output, UsageError } from "./outcomes.js";
import { Run } from "./run.js";
import { type Handler, SESSION_COMMANDS } from "./sessionCommands.js";

const HANDLERS: Readonly<Record<string, Handler>> = { ...SESSION_COMMANDS, ...OTHER_COMMANDS, ...BENCH_COMMANDS };

/**
 * Runs a command until it is done.
 *
 * @throws {UsageError} there is no such command here.
 */
export async function handle(name: string, given: Given, output: Output, signal: AbortSignal): Promise<void> {
  const handler = HANDLERS[name];
  if (handler === undefined) throw new UsageError(`${name} is not available here`);
  await handler(new Run(given, output, signal));
}
