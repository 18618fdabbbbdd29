/** How a command ends, and where its output goes. Apart from what commands need: `version` and `--help` need none of it. */

/** A wrong command line: exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** A failure of which everything is told already, or that has a text: exit code 1. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
}

/** A text that is no value; the message names the option and the wanted form. */
export class ValueParseError extends Error {
  override readonly name = "ValueParseError";
}

/** Where output goes. */
export interface Output {
  out(line: string): void;
  err(line: string): void;
}
