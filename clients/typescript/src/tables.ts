/** Words and rules that every client has alike; written by tools/tables.mjs from conformance/tables.json. */

export const VERSIONS = {
  "gatewayProtocolVersion": 3,
  "workerProtocolVersion": 1
} as const;

export const LIMITS = {
  "maxBulkItems": 1000,
  "maxMessageBytes": 16777216,
  "envelopeBytes": 512,
  "maxAggregateEvents": 10000,
  "commandWindow": 100,
  "commandsPerMessage": 500
} as const;

export const QUALITY_NAMES = {
  "0": "Bad",
  "4": "BadConfigurationError",
  "8": "BadNotConnected",
  "12": "BadDeviceFailure",
  "16": "BadSensorFailure",
  "20": "BadLastKnownValue",
  "24": "BadCommunicationFailure",
  "28": "BadOutOfService",
  "32": "Initializing",
  "64": "Uncertain",
  "68": "UncertainLastUsableValue",
  "80": "UncertainSensorNotAccurate",
  "84": "UncertainEngineeringUnitsExceeded",
  "88": "UncertainSubNormal",
  "192": "Good",
  "216": "GoodLocalOverride"
} as const;

export const DETAIL_WORDS = {
  "1": "the request timed out",
  "2": "no communication with the platform",
  "3": "no such platform",
  "4": "no such engine",
  "5": "no communication with the engine",
  "6": "the reference is invalid, or its object is not deployed",
  "7": "the Galaxy repository is not available",
  "8": "no such object",
  "9": "the object was deployed anew; the reference is being resolved again",
  "10": "the attribute was changed by a deployment",
  "11": "the attribute is still being resolved",
  "12": "the object is still being resolved",
  "13": "wrong data type",
  "14": "wrong number of dimensions",
  "15": "invalid index",
  "16": "index out of order",
  "17": "dimension does not exist",
  "18": "this conversion is not supported",
  "19": "the text cannot be converted",
  "20": "the value is too large for its type",
  "21": "nmx version mismatch",
  "22": "nmx invalid command",
  "23": "lmx version mismatch",
  "24": "lmx invalid command",
  "25": "galaxy repository busy",
  "26": "the engine is overloaded",
  "1000": "invalid primitive id",
  "1001": "no such attribute",
  "1002": "no such property",
  "1003": "the index is out of range",
  "1004": "the value is out of range",
  "1005": "wrong data type",
  "1006": "the attribute cannot be read",
  "1007": "the attribute cannot be written",
  "1008": "write access denied",
  "1009": "unknown error",
  "1010": "the object is initializing",
  "1011": "the engine is initializing",
  "1012": "needs a secured write, with the operator's credentials",
  "1013": "needs a verified write, with the credentials of operator and verifier",
  "1014": "no alarm ack privilege",
  "1015": "alarm acked already",
  "1016": "the user has no right to write this",
  "1017": "the verifier has no right to verify this",
  "8000": "automation object specific error"
} as const;

export const ERRORS = {
  "retryableKinds": [
    "connection",
    "resource"
  ],
  "workerReasonPrefix": "WORKER_",
  "byReason": {
    "SESSION_NOT_FOUND": "session",
    "SESSION_NOT_READY": "session",
    "SESSION_FAULTED": "session",
    "SESSION_CLOSED": "session",
    "NO_ALARM_PROVIDER": "command",
    "ALARM_COUNT": "command",
    "COMMAND_TIMEOUT": "timeout",
    "COMMAND_CANCELED": "command",
    "GALAXY_NOT_FOUND": "notfound",
    "GATEWAY_STOPPING": "connection"
  },
  "byCode": {
    "UNAUTHENTICATED": "authentication",
    "PERMISSION_DENIED": "authorization",
    "DEADLINE_EXCEEDED": "timeout",
    "UNAVAILABLE": "connection",
    "CANCELLED": "connection",
    "RESOURCE_EXHAUSTED": "resource"
  },
  "ofGateway": {
    "NOT_FOUND": "session",
    "FAILED_PRECONDITION": "session",
    "INVALID_ARGUMENT": "command"
  },
  "ofGalaxy": {
    "NOT_FOUND": "notfound"
  },
  "byProtocolStatus": {
    "PROTOCOL_STATUS_CODE_INVALID_REQUEST": "command",
    "PROTOCOL_STATUS_CODE_SESSION_NOT_FOUND": "session",
    "PROTOCOL_STATUS_CODE_SESSION_NOT_READY": "session",
    "PROTOCOL_STATUS_CODE_WORKER_UNAVAILABLE": "worker",
    "PROTOCOL_STATUS_CODE_TIMEOUT": "timeout",
    "PROTOCOL_STATUS_CODE_CANCELED": "command",
    "PROTOCOL_STATUS_CODE_PROTOCOL_VIOLATION": "worker",
    "PROTOCOL_STATUS_CODE_PERMISSION_DENIED": "authorization",
    "PROTOCOL_STATUS_CODE_RESOURCE_EXHAUSTED": "resource"
  }
} as const;

export const HRESULT_MEANINGS = [
  {
    "method": "AuthenticateUser",
    "hresult": -2147024809,
    "text": "the user's name or password is wrong, or this Galaxy has no such user"
  },
  {
    "method": "WriteSecured",
    "hresult": -2147467231,
    "text": "the server handle holds no authenticated user; call authenticate_user with it first"
  },
  {
    "method": "WriteSecured2",
    "hresult": -2147467231,
    "text": "the server handle holds no authenticated user; call authenticate_user with it first"
  }
] as const;

export const REPEATABLE_COMMANDS = [
  "query_active_alarms",
  "read_bulk",
  "ping",
  "get_session_state",
  "get_worker_info"
] as const;
