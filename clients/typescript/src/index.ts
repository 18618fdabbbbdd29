/** Client of the MXAccess gateway. Start with `GatewayClient.connect`. */

export { GatewayClient, type SessionOptions } from "./client.js";
export type { OverflowPolicy } from "./changeQueue.js";
export type { WriteConfirmOptions, WriteOutcome } from "./confirmedWrite.js";
export { type CommandArm, type CommandFields, command } from "./commands.js";
export { nextCorrelationId } from "./correlation.js";
export {
  type CommandContext,
  type ErrorContext,
  MxAccessError,
  MxGatewayAuthenticationError,
  MxGatewayAuthorizationError,
  MxGatewayCommandError,
  MxGatewayConnectionError,
  MxGatewayError,
  MxGatewayNotFoundError,
  MxGatewayOverflowError,
  MxGatewayProtocolError,
  MxGatewayResourceError,
  MxGatewaySessionError,
  MxGatewayTimeoutError,
  MxGatewayTransportError,
  MxGatewayWorkerError,
} from "./errors.js";
export { EventStream } from "./events.js";
export { BrowseNode, GalaxyClient, type GalaxyFilter, type HierarchyOptions } from "./galaxy.js";
export type { ClientOptions, RetryPolicy } from "./options.js";
export { isBad, isGood, isStatusFailure, isUncertain, qualityName, statusText } from "./quality.js";
export { redact } from "./redact.js";
export type {
  AddBulkOptions,
  ReadOptions,
  Write2Entry,
  WriteEntry,
  WriteSecured2Entry,
  WriteSecuredEntry,
} from "./bulkCommands.js";
export type { AddOptions, Moment, UserOptions } from "./itemCommands.js";
export { Session, type StreamOptions } from "./session.js";
export type { DataChange, SubscribeOptions, SubscriptionState, SubscriptionStats } from "./dataChange.js";
export { Subscription } from "./subscription.js";
export { MxTime } from "./time.js";
export { type CallOptions, type ConnectionState, ServerStream } from "./transport.js";
export { type MxInput, type MxOutput, type MxTypeName, OutOfRangeTime, fromMxValue, mx, toMxValue } from "./values.js";
export { CLIENT_VERSION, GATEWAY_PROTOCOL_VERSION, MAX_BULK_ITEMS, WORKER_PROTOCOL_VERSION } from "./version.js";
