/** The command line of each command, from the contract of all CLIs. */

import { Command, InvalidArgumentError, Option } from "commander";

import { MxTime } from "../time.js";

/** One option, as conformance/cli.json has it. */
export interface ContractOption {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly multiple: boolean;
  readonly default: unknown;
  readonly help: string;
  readonly min?: number;
  readonly above?: number;
  readonly max?: number;
  readonly choices?: readonly string[];
}

/** One command, as conformance/cli.json has it. */
export interface ContractCommand {
  readonly name: string;
  readonly help: string;
  readonly connects: boolean;
  readonly options: readonly ContractOption[];
  readonly section?: string;
  readonly json?: unknown;
}

/** The whole of conformance/cli.json. */
export interface Contract {
  readonly schemaVersion: string;
  readonly batchEndOfRecord: string;
  readonly exitCodes: Readonly<Record<string, number>>;
  readonly commonOptions: readonly ContractOption[];
  readonly commands: readonly ContractCommand[];
}

/** What was given on the command line, by the name of the option without its dashes. */
export type Given = ReadonlyMap<string, unknown>;

/** A command with its options; `run` gets what was given. */
export function commandOf(
  contract: ContractCommand,
  common: readonly ContractOption[],
  run: (given: Given) => Promise<void>,
): Command {
  const json = common.filter((each) => each.name === "--json" && contract.json !== null);
  const options = [...contract.options, ...(contract.connects ? common : json)];
  const found = new Command(contract.name).description(contract.help).allowExcessArguments(false);
  for (const each of options) found.addOption(optionOf(each));
  return found.action(async (given: Readonly<Record<string, unknown>>) => {
    await run(new Map(options.map((each) => [each.name.slice(2), given[attributeName(each)]])));
  });
}

function attributeName(option: ContractOption): string {
  // commander takes --no-x for the opposite of --x.
  const name = option.name.slice(2);
  return new Option(name.startsWith("no-") ? `--without-${name.slice(3)}` : `--${name}`).attributeName();
}

function optionOf(contract: ContractOption): Option {
  const placeholder = contract.type === "flag" ? "" : ` <${contract.type}>`;
  const option = new Option(contract.name + placeholder, contract.help).makeOptionMandatory(contract.required);
  const name = attributeName(contract);
  option.attributeName = () => name;
  if (contract.name.startsWith("--no-")) option.negate = false;
  if (contract.default !== null && contract.default !== undefined) option.default(contract.default);
  if (contract.type === "flag") return option;
  const parse = (text: string): unknown => parsed(text, contract);
  option.argParser<unknown>((text, before) =>
    contract.multiple ? [...((before as readonly unknown[] | undefined) ?? []), parse(text)] : parse(text),
  );
  return option;
}

function parsed(text: string, option: ContractOption): unknown {
  switch (option.type) {
    case "int": {
      if (!/^[+-]?\d+$/.test(text)) throw new InvalidArgumentError("a whole number is wanted");
      return bounded(Number(text), option);
    }
    case "float": {
      if (text.trim() === "" || !Number.isFinite(Number(text))) throw new InvalidArgumentError("a number is wanted");
      return bounded(Number(text), option);
    }
    case "choice":
      if (!option.choices?.includes(text))
        throw new InvalidArgumentError(`choose from ${option.choices?.join(", ") ?? ""}`);
      return text;
    case "RFC3339":
      try {
        return MxTime.parse(text);
      } catch (error) {
        throw new InvalidArgumentError((error as Error).message);
      }
    default:
      return text;
  }
}

function bounded(value: number, { min, above, max }: ContractOption): number {
  if (min !== undefined && value < min) throw new InvalidArgumentError(`at least ${min} is wanted`);
  if (above !== undefined && value <= above) throw new InvalidArgumentError(`more than ${above} is wanted`);
  if (max !== undefined && value > max) throw new InvalidArgumentError(`at most ${max} is wanted`);
  return value;
}
