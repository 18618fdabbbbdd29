/** Prints five changes of a tag, over any interruption: `watch ENDPOINT CA_FILE [TAG]`. */

import { GatewayClient } from "../src/index.js";

const [endpoint = "localhost:5001", caFile = "gateway-ca.pem", tag = "TestMachine_001.TestChangingInt"] =
  process.argv.slice(2);
const apiKey = process.env["MXGATEWAY_API_KEY"] ?? "";

await using client = await GatewayClient.connect({ endpoint, caFile, apiKey });
let count = 0;
for await (const change of client.subscribe([tag])) {
  console.log(change.tag, change.value, change.isGood);
  count += 1;
  // Leaving the loop ends the subscription and its session.
  if (count === 5) break;
}
