/** Writes a tag and waits until the plant has taken it: `write ENDPOINT CA_FILE VALUE [TAG]`. */

import { GatewayClient, fromMxValue } from "../src/index.js";

const [endpoint = "localhost:5001", caFile = "gateway-ca.pem", text = "43", tag = "TestChildObject.TestInt"] =
  process.argv.slice(2);
const apiKey = process.env["MXGATEWAY_API_KEY"] ?? "";

await using client = await GatewayClient.connect({ endpoint, caFile, apiKey });
await using session = await client.openSession({ clientSessionName: "example write" });
const outcome = await session.writeAndConfirm(tag, Number(text));
const before = outcome.before.value === undefined ? null : fromMxValue(outcome.before.value);
console.log(before, "->", fromMxValue(outcome.value));
