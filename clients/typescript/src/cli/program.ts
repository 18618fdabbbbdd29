/** `mxgw-ts`: one invocation, from its arguments to its exit code. */

import { Command, CommanderError } from "commander";

import { MxGatewayError } from "../errors.js";
import { redact } from "../redact.js";
import { CLIENT_VERSION, GATEWAY_PROTOCOL_VERSION, WORKER_PROTOCOL_VERSION } from "../version.js";
import { CONTRACT } from "./contract.js";
import { type Given, commandOf } from "./options.js";
import { CommandFailure, type Output, UsageError, ValueParseError } from "./outcomes.js";
import { splitLine } from "./tokenizer.js";

/** Commands that run until they are stopped: an interrupt is an ordinary end of them. */
const FOLLOWING = new Set(["stream-events", "galaxy-watch", "stream-alarms", "bench-read-bulk", "bench-stream-events"]);
const EXIT = CONTRACT.exitCodes as Record<"done" | "failure" | "usage" | "interrupted" | "terminated", number>;

/** Options of the library by the flag that sets them: who types a command knows the flag. */
const FLAGS: Readonly<Record<string, string>> = {
  caFile: "--ca-file",
  clientCertificateFile: "--client-cert",
  clientKeyFile: "--client-key",
  serverNameOverride: "--server-name-override",
  callTimeoutMs: "--timeout",
  shutdownTimeoutMs: "--shutdown-timeout",
};
const FLAG_NAMES = new RegExp(`\\b(?:${Object.keys(FLAGS).join("|")})\\b`, "g");

/** Why everything ends: Ctrl-C, or a signal of a service manager. */
export class Interrupt extends Error {
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super(signal === "SIGINT" ? "interrupted" : `ended by ${signal}`);
    this.signal = signal;
  }
}

/** Lines of stdin, for batch. */
export type Lines = AsyncIterable<string>;

/**
 * Runs one invocation.
 *
 * @param interrupted aborts when somebody interrupts.
 * @returns the exit code.
 */
export async function execute(
  argv: readonly string[],
  output: Output,
  interrupted: AbortSignal,
  lines?: Lines,
): Promise<number> {
  const program = new Command("mxgw-ts").description("Talks to an MXAccess gateway.").exitOverride();
  program.configureOutput({
    writeOut: (text) => {
      output.out(text.replace(/\n$/, ""));
    },
    writeErr: (text) => {
      output.err(text.replace(/\n$/, ""));
    },
  });
  for (const contract of CONTRACT.commands) {
    const work = (given: Given): Promise<void> => perform(contract.name, given, output, interrupted, lines);
    // Of the others the list of commands shows name and help: their options would double what a start costs.
    const command = argv.includes(contract.name)
      ? commandOf(contract, CONTRACT.commonOptions, work)
      : new Command(contract.name).description(contract.help);
    program.addCommand(command.exitOverride().copyInheritedSettings(program));
  }
  const secrets = secretsOf(argv);
  try {
    await program.parseAsync(argv, { from: "user" });
    return EXIT.done;
  } catch (error) {
    return codeOf(error, output, secrets, interrupted);
  }
}

async function perform(
  name: string,
  given: Given,
  output: Output,
  interrupted: AbortSignal,
  lines: Lines | undefined,
): Promise<void> {
  if (name === "version") {
    const versions = {
      name: "mxgw-ts",
      version: CLIENT_VERSION,
      gatewayProtocolVersion: GATEWAY_PROTOCOL_VERSION,
      workerProtocolVersion: WORKER_PROTOCOL_VERSION,
    };
    output.out(given.get("json") === true ? JSON.stringify(versions, null, 2) : `mxgw-ts ${CLIENT_VERSION}`);
    return;
  }
  if (name === "batch") {
    await batch(output, interrupted, lines);
    return;
  }
  const isFollowing = FOLLOWING.has(name);
  const over = new AbortController();
  const onInterrupt = (): void => {
    over.abort(interrupted.reason);
  };
  if (interrupted.aborted) onInterrupt();
  interrupted.addEventListener("abort", onInterrupt, { once: true });
  const seconds = (given.get("timeout") as number | undefined) ?? 30;
  const timer = isFollowing
    ? undefined
    : setTimeout(() => {
        over.abort(new CommandFailure(`the command did not end within ${seconds} s (--timeout)`));
      }, seconds * 1000);
  try {
    // Only now: gRPC and the generated code are most of what a start costs.
    const { handle } = await import("./handlers.js");
    await handle(name, given, output, over.signal);
  } finally {
    clearTimeout(timer);
    interrupted.removeEventListener("abort", onInterrupt);
  }
}

/** Runs one invocation for each line, until the end of the input. */
async function batch(output: Output, interrupted: AbortSignal, lines: Lines | undefined): Promise<void> {
  let isFirst = true;
  for await (const line of lines ?? []) {
    const failures: string[] = [];
    const text = isFirst ? line.replace(/^\uFEFF/, "") : line;
    isFirst = false;
    const held: Output = {
      out: (each) => {
        output.out(each);
      },
      err: (each) => {
        failures.push(each);
      },
    };
    const code = await runLine(text, held, interrupted);
    if (code !== 0 && failures.length > 0) output.out(JSON.stringify({ error: failures.join("\n"), type: "error" }));
    output.out(CONTRACT.batchEndOfRecord);
    if (interrupted.aborted) return;
  }
}

async function runLine(line: string, output: Output, interrupted: AbortSignal): Promise<number> {
  let argv: string[];
  try {
    argv = splitLine(line);
  } catch (error) {
    output.err(`the line cannot be split: ${(error as Error).message}`);
    return EXIT.usage;
  }
  if (argv.length === 0) return EXIT.done;
  if (argv[0] === "batch") {
    output.err("batch within batch is not possible");
    return EXIT.usage;
  }
  return await execute(argv, output, interrupted);
}

/** Keys that were given on the command line or by a variable of it: they are in no text of ours. */
function secretsOf(argv: readonly string[]): string[] {
  const found: string[] = [];
  for (const [index, each] of argv.entries()) {
    const [name, inline] = each.split("=", 2);
    const value = inline ?? argv[index + 1];
    if (value === undefined) continue;
    if (name === "--api-key") found.push(value);
    if (name === "--api-key-env" || name === "--password-env") found.push(process.env[value] ?? "");
  }
  return found.filter((each) => each !== "");
}

function codeOf(error: unknown, output: Output, secrets: readonly string[], interrupted: AbortSignal): number {
  if (error instanceof CommanderError) {
    // Help and version are no failures; what is wrong has been said.
    return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  }
  if (interrupted.aborted) {
    const { reason } = interrupted as { reason: unknown };
    const isTerminated = reason instanceof Interrupt && reason.signal !== "SIGINT";
    output.err(isTerminated ? reason.message : "interrupted");
    return isTerminated ? EXIT.terminated : EXIT.interrupted;
  }
  const said = error instanceof Error ? error.message : String(error);
  const text = redact(said, ...secrets).replace(FLAG_NAMES, (name) => FLAGS[name] ?? name);
  if (text) output.err(`Error: ${text}`);
  const isUsage =
    error instanceof UsageError ||
    error instanceof ValueParseError ||
    (!(error instanceof MxGatewayError) && (error instanceof TypeError || error instanceof RangeError));
  return isUsage ? EXIT.usage : EXIT.failure;
}
