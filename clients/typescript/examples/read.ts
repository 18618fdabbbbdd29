/** Reads two tags once: `read ENDPOINT CA_FILE [TAG…]`, with the API key in MXGATEWAY_API_KEY. */

import { GatewayClient, fromMxValue, qualityName } from "../src/index.js";

const [endpoint = "localhost:5001", caFile = "gateway-ca.pem", ...given] = process.argv.slice(2);
const tags = given.length > 0 ? given : ["TestMachine_001.TestChangingInt", "TestChildObject.TestInt"];
const apiKey = process.env["MXGATEWAY_API_KEY"] ?? "";

await using client = await GatewayClient.connect({ endpoint, caFile, apiKey });
await using session = await client.openSession({ clientSessionName: "example read" });
const handle = await session.register("example");
for (const each of await session.readBulk(handle, tags)) {
  const value = each.value === undefined ? null : fromMxValue(each.value);
  console.log(each.tagAddress, value, each.wasSuccessful ? qualityName(each.quality) : each.errorMessage);
}
