// Writes src/tables.ts from conformance/tables.json, or with --check says whether it is what that gives.
import { readFileSync, writeFileSync } from "node:fs";

const target = new URL("../src/tables.ts", import.meta.url);
const { versions, limits, qualityNames, statusDetails, errors, hresultMeanings, commands } = JSON.parse(
  readFileSync(new URL("../../../conformance/tables.json", import.meta.url), "utf8"),
);
const repeatable = Object.keys(commands).filter((name) => commands[name].repeatable);
const parts = {
  VERSIONS: versions,
  LIMITS: limits,
  QUALITY_NAMES: qualityNames,
  DETAIL_WORDS: statusDetails,
  ERRORS: errors,
  HRESULT_MEANINGS: hresultMeanings,
  REPEATABLE_COMMANDS: repeatable,
};
let text =
  "/** Words and rules that every client has alike; written by tools/tables.mjs from conformance/tables.json. */\n";
for (const [name, value] of Object.entries(parts))
  text += `\nexport const ${name} = ${JSON.stringify(value, null, 2)} as const;\n`;
if (process.argv.includes("--check")) {
  if (readFileSync(target, "utf8") !== text) {
    console.error("src/tables.ts differs from conformance/tables.json; run npm run tables");
    process.exit(1);
  }
} else {
  writeFileSync(target, text);
}
