// Writes src/tables.ts and src/cli/contract.ts from conformance/*.json, or with --check says whether they are what that gives.
import { readFileSync, writeFileSync } from "node:fs";

const read = (name) => JSON.parse(readFileSync(new URL(`../../../conformance/${name}`, import.meta.url), "utf8"));

const { versions, limits, qualityNames, statusDetails, errors, hresultMeanings, commands } = read("tables.json");
const tables = {
  VERSIONS: versions,
  LIMITS: limits,
  QUALITY_NAMES: qualityNames,
  DETAIL_WORDS: statusDetails,
  ERRORS: errors,
  HRESULT_MEANINGS: hresultMeanings,
  REPEATABLE_COMMANDS: Object.keys(commands).filter((name) => commands[name].repeatable),
};
let text =
  "/** Words and rules that every client has alike; written by tools/tables.mjs from conformance/tables.json. */\n";
for (const [name, value] of Object.entries(tables)) {
  text += `\nexport const ${name} = ${JSON.stringify(value, null, 2)} as const;\n`;
}
// Texts of the Python program name it.
const contract = JSON.stringify(read("cli.json"), null, 2).replaceAll("mxgw-py", "mxgw-ts");
const cli = `/** Commands and options that every client's CLI has alike; written by tools/tables.mjs from conformance/cli.json. */

import type { Contract } from "./options.js";

export const CONTRACT: Contract = ${contract};
`;
for (const [name, wanted] of [
  ["../src/tables.ts", text],
  ["../src/cli/contract.ts", cli],
]) {
  const target = new URL(name, import.meta.url);
  if (!process.argv.includes("--check")) writeFileSync(target, wanted);
  else if (readFileSync(target, "utf8") !== wanted) {
    console.error(`${name.slice(3)} differs from conformance/; run npm run tables`);
    process.exitCode = 1;
  }
}
