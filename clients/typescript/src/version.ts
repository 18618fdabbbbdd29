/** Versions and limits of the contract that this client speaks. */

import { LIMITS, VERSIONS } from "./tables.js";

/** Version of this client. */
export const CLIENT_VERSION = "0.1.0";
/** Version of the contract; `openSession` checks the gateway's. */
export const GATEWAY_PROTOCOL_VERSION = VERSIONS.gatewayProtocolVersion;
/** Version of the pipe between gateway and worker, as the gateway reports it. */
export const WORKER_PROTOCOL_VERSION = VERSIONS.workerProtocolVersion;
/** Entries that one bulk command may have. */
export const MAX_BULK_ITEMS = LIMITS.maxBulkItems;
/** Longest message, both ways, unless an option says otherwise. */
export const MAX_MESSAGE_BYTES = LIMITS.maxMessageBytes;
/** Room that a message needs beside what it carries. */
export const ENVELOPE_BYTES = LIMITS.envelopeBytes;

/** Events come in batches. */
export const CAPABILITY_EVENT_BATCHES = "event-batches";
/** Commands go over one stream. */
export const CAPABILITY_COMMAND_STREAM = "command-stream";
/** Items and events carry numbers of the client's own. */
export const CAPABILITY_CLIENT_HANDLES = "client-handles";
/** The gateway itself sends the present values after a gap. */
export const CAPABILITY_RECOVERED_VALUES = "recovered-values";
