/** Commands and options that every client's CLI has alike; written by tools/tables.mjs from conformance/cli.json. */

import type { Contract } from "./options.js";

export const CONTRACT: Contract = {
  "schemaVersion": "1.0",
  "exitCodes": {
    "done": 0,
    "failure": 1,
    "usage": 2,
    "interrupted": 130,
    "terminated": 143
  },
  "batchEndOfRecord": "__MXGW_BATCH_EOR__",
  "commonOptions": [
    {
      "name": "--endpoint",
      "type": "text",
      "required": false,
      "multiple": false,
      "default": null,
      "help": "Gateway; localhost:5001, or :5000 with --plaintext."
    },
    {
      "name": "--api-key",
      "type": "text",
      "required": false,
      "multiple": false,
      "default": null,
      "help": "API key; other users can see it, prefer --api-key-env."
    },
    {
      "name": "--api-key-env",
      "type": "text",
      "required": false,
      "multiple": false,
      "default": null,
      "help": "Environment variable that holds the API key."
    },
    {
      "name": "--plaintext",
      "type": "flag",
      "required": false,
      "multiple": false,
      "default": null,
      "help": "Unencrypted channel. Never chosen by itself."
    },
    {
      "name": "--tls",
      "type": "flag",
      "required": false,
      "multiple": false,
      "default": null,
      "help": "TLS, which is the default."
    },
    {
      "name": "--ca-file",
      "type": "file",
      "required": false,
      "multiple": false,
      "default": null,
      "help": "PEM file of the certificate authority to trust."
    },
    {
      "name": "--client-cert",
      "type": "file",
      "required": false,
      "multiple": false,
      "default": null,
      "help": "PEM file of this client's certificate, where the gateway asks for one."
    },
    {
      "name": "--client-key",
      "type": "file",
      "required": false,
      "multiple": false,
      "default": null,
      "help": "PEM file of its private key."
    },
    {
      "name": "--server-name-override",
      "type": "text",
      "required": false,
      "multiple": false,
      "default": null,
      "help": "Name to expect in the certificate (tests)."
    },
    {
      "name": "--timeout",
      "type": "float",
      "above": 0,
      "required": false,
      "multiple": false,
      "default": null,
      "help": "Limit of each call and of the command as a whole.  [default: 30]"
    },
    {
      "name": "--shutdown-timeout",
      "type": "float",
      "above": 0,
      "required": false,
      "multiple": false,
      "default": 10,
      "help": "Limit of closing."
    },
    {
      "name": "--json",
      "type": "flag",
      "required": false,
      "multiple": false,
      "default": null,
      "help": "One JSON document on stdout."
    }
  ],
  "commands": [
    {
      "name": "version",
      "section": "Getting started",
      "help": "Version of this client and of the contract that it speaks.",
      "connects": false,
      "options": [],
      "json": [
        "name",
        "version",
        "gatewayProtocolVersion",
        "workerProtocolVersion"
      ]
    },
    {
      "name": "smoke",
      "section": "Getting started",
      "help": "Opens a session, registers, adds and advises an item, takes some events, and closes.",
      "connects": true,
      "options": [
        {
          "name": "--item",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "For example TestMachine_001.TestChangingInt."
        },
        {
          "name": "--max-events",
          "type": "int",
          "min": 1,
          "required": false,
          "multiple": false,
          "default": 1,
          "help": "Events to wait for."
        },
        {
          "name": "--client-name",
          "type": "text",
          "required": false,
          "multiple": false,
          "default": "mxgw-ts-smoke",
          "help": "Name of this client for MXAccess."
        },
        {
          "name": "--type",
          "type": "choice",
          "choices": [
            "bool",
            "int32",
            "int64",
            "float",
            "double",
            "string",
            "timestamp",
            "elapsed",
            "bool[]",
            "int32[]",
            "int64[]",
            "float[]",
            "double[]",
            "string[]",
            "timestamp[]",
            "elapsed[]"
          ],
          "required": false,
          "multiple": false,
          "default": "int32",
          "help": "Type of --value."
        },
        {
          "name": "--value",
          "type": "text",
          "required": false,
          "multiple": false,
          "default": null,
          "help": "Writes this once the first event is there, and waits for completion."
        }
      ],
      "json": [
        "language",
        "operation",
        "sessionId",
        "isSimulated",
        "serverHandle",
        "itemHandle",
        "events",
        "writeCompletion?",
        "closeStatus",
        "keySource"
      ]
    },
    {
      "name": "batch",
      "section": "Scripts and measurements",
      "help": "Runs one invocation for each line of stdin, until its end.",
      "connects": false,
      "options": [],
      "json": null
    },
    {
      "name": "open-session",
      "section": "Sessions and events",
      "help": "Opens a session and leaves it open; it ends with close-session, or with its lease after half an hour unused.",
      "connects": true,
      "options": [
        {
          "name": "--client-session-name",
          "type": "text",
          "required": false,
          "multiple": false,
          "default": "mxgw-ts",
          "help": "Name in the gateway's logs."
        },
        {
          "name": "--backend",
          "type": "text",
          "required": false,
          "multiple": false,
          "default": "",
          "help": "Backend to ask for: simulator, com or replay."
        },
        {
          "name": "--command-timeout",
          "type": "float",
          "above": 0,
          "required": false,
          "multiple": false,
          "default": null,
          "help": "Limit of each command in the gateway, in s."
        }
      ],
      "json": "OpenSessionReply"
    },
    {
      "name": "close-session",
      "section": "Sessions and events",
      "help": "Ends a session and its worker. Closing a closed session is no error.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        }
      ],
      "json": "CloseSessionReply"
    },
    {
      "name": "session-state",
      "section": "Sessions and events",
      "help": "State of a session.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        }
      ],
      "json": [
        "sessionId",
        "state"
      ]
    },
    {
      "name": "ping",
      "section": "Sessions and events",
      "help": "Sends a text through gateway and worker.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--message",
          "type": "text",
          "required": false,
          "multiple": false,
          "default": "ping",
          "help": "Text that comes back."
        }
      ],
      "json": "MxCommandReply"
    },
    {
      "name": "worker-info",
      "section": "Sessions and events",
      "help": "Process id, version and backend of a session's worker.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        }
      ],
      "json": "WorkerInfoReply"
    },
    {
      "name": "stream-events",
      "section": "Sessions and events",
      "help": "Prints a session's events until --max-events, --duration, Ctrl-C or the end of the session.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--max-events",
          "type": "int",
          "min": 1,
          "required": false,
          "multiple": false,
          "default": null,
          "help": "End after this many events."
        },
        {
          "name": "--after-worker-sequence",
          "type": "int",
          "min": 0,
          "required": false,
          "multiple": false,
          "default": 0,
          "help": "Resume after this event."
        },
        {
          "name": "--duration",
          "type": "float",
          "above": 0,
          "required": false,
          "multiple": false,
          "default": null,
          "help": "End after this many seconds."
        },
        {
          "name": "--jsonl",
          "type": "flag",
          "required": false,
          "multiple": false,
          "default": null,
          "help": "One JSON document a line, as the events come."
        }
      ],
      "json": [
        "sessionId",
        "events"
      ]
    },
    {
      "name": "drain-events",
      "section": "Sessions and events",
      "help": "Takes the events that wait for a session.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--max-events",
          "type": "int",
          "min": 0,
          "required": false,
          "multiple": false,
          "default": 0,
          "help": "0 for all that wait."
        }
      ],
      "json": [
        "events"
      ]
    },
    {
      "name": "register",
      "section": "Items",
      "help": "Registers a client with MXAccess; prints the server handle.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--client-name",
          "type": "text",
          "required": false,
          "multiple": false,
          "default": "mxgw-ts",
          "help": "Name of this client for MXAccess."
        }
      ],
      "json": [
        "sessionId",
        "serverHandle"
      ]
    },
    {
      "name": "unregister",
      "section": "Items",
      "help": "Ends a registration.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        }
      ],
      "json": "MxCommandReply"
    },
    {
      "name": "add-item",
      "section": "Items",
      "help": "Adds an item; prints its handle. Whether the reference exists shows when it is advised.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--item",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "For example TestMachine_001.TestChangingInt."
        }
      ],
      "json": [
        "sessionId",
        "serverHandle",
        "itemHandle"
      ]
    },
    {
      "name": "add-item2",
      "section": "Items",
      "help": "Adds an item by a relative reference; prints its handle.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--item",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "For example TestMachine_001.TestChangingInt."
        },
        {
          "name": "--context",
          "type": "text",
          "required": false,
          "multiple": false,
          "default": "",
          "help": "Object that a relative reference starts from."
        }
      ],
      "json": [
        "sessionId",
        "serverHandle",
        "itemHandle"
      ]
    },
    {
      "name": "add-buffered-item",
      "section": "Items",
      "help": "Adds an item whose values come in OnBufferedDataChange events; prints its handle.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--item",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "For example TestMachine_001.TestChangingInt."
        },
        {
          "name": "--context",
          "type": "text",
          "required": false,
          "multiple": false,
          "default": "",
          "help": "Object that a relative reference starts from."
        }
      ],
      "json": [
        "sessionId",
        "serverHandle",
        "itemHandle"
      ]
    },
    {
      "name": "remove-item",
      "section": "Items",
      "help": "Removes an item.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--item-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From add-item."
        }
      ],
      "json": "MxCommandReply"
    },
    {
      "name": "advise",
      "section": "Items",
      "help": "Subscribes to an item's changes.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--item-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From add-item."
        }
      ],
      "json": "MxCommandReply"
    },
    {
      "name": "advise-supervisory",
      "section": "Items",
      "help": "Subscribes to an item's changes on a supervisory connection, which needs no user.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--item-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From add-item."
        }
      ],
      "json": "MxCommandReply"
    },
    {
      "name": "unadvise",
      "section": "Items",
      "help": "Ends a subscription; the item stays.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--item-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From add-item."
        }
      ],
      "json": "MxCommandReply"
    },
    {
      "name": "suspend",
      "section": "Items",
      "help": "Suspends an advised item.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--item-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From add-item."
        }
      ],
      "json": [
        "status"
      ]
    },
    {
      "name": "activate",
      "section": "Items",
      "help": "Resumes a suspended item.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--item-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From add-item."
        }
      ],
      "json": [
        "status"
      ]
    },
    {
      "name": "set-buffered-update-interval",
      "section": "Items",
      "help": "Sets how often buffered items deliver.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--milliseconds",
          "type": "int",
          "min": 0,
          "required": true,
          "multiple": false,
          "default": null,
          "help": "MXAccess rounds up to 100 ms."
        }
      ],
      "json": "MxCommandReply"
    },
    {
      "name": "write",
      "section": "Tags by name",
      "help": "Writes a value: by TAG and VALUE, with the outcome awaited, or by handles.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session; with TAG a new one when it is not given."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register (handle form)."
        },
        {
          "name": "--item-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From add-item (handle form)."
        },
        {
          "name": "--type",
          "type": "choice",
          "choices": [
            "bool",
            "int32",
            "int64",
            "float",
            "double",
            "string",
            "timestamp",
            "elapsed",
            "bool[]",
            "int32[]",
            "int64[]",
            "float[]",
            "double[]",
            "string[]",
            "timestamp[]",
            "elapsed[]"
          ],
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Type of the value; with TAG the tag's own when not given."
        },
        {
          "name": "--value",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Value (handle form)."
        },
        {
          "name": "--user-id",
          "type": "int",
          "required": false,
          "multiple": false,
          "default": 0,
          "help": "From authenticate-user; 0 is none."
        }
      ],
      "json": "MxCommandReply"
    },
    {
      "name": "write2",
      "section": "Writes by handle, and users",
      "help": "Writes a value with a source time of its own.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--item-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From add-item."
        },
        {
          "name": "--type",
          "type": "choice",
          "choices": [
            "bool",
            "int32",
            "int64",
            "float",
            "double",
            "string",
            "timestamp",
            "elapsed",
            "bool[]",
            "int32[]",
            "int64[]",
            "float[]",
            "double[]",
            "string[]",
            "timestamp[]",
            "elapsed[]"
          ],
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Type of the value."
        },
        {
          "name": "--value",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Elements of an array with commas between."
        },
        {
          "name": "--timestamp",
          "type": "RFC3339",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Source time: 2026-01-31T12:00:00Z."
        },
        {
          "name": "--user-id",
          "type": "int",
          "required": false,
          "multiple": false,
          "default": 0,
          "help": "From authenticate-user; 0 is none."
        }
      ],
      "json": "MxCommandReply"
    },
    {
      "name": "write-secured",
      "section": "Writes by handle, and users",
      "help": "Writes to a secured or verified attribute in the name of one or two users.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--item-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From add-item."
        },
        {
          "name": "--type",
          "type": "choice",
          "choices": [
            "bool",
            "int32",
            "int64",
            "float",
            "double",
            "string",
            "timestamp",
            "elapsed",
            "bool[]",
            "int32[]",
            "int64[]",
            "float[]",
            "double[]",
            "string[]",
            "timestamp[]",
            "elapsed[]"
          ],
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Type of the value."
        },
        {
          "name": "--value",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Elements of an array with commas between."
        },
        {
          "name": "--current-user-id",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Operator, from authenticate-user."
        },
        {
          "name": "--verifier-user-id",
          "type": "int",
          "required": false,
          "multiple": false,
          "default": null,
          "help": "Verifier; the operator again when it is not given."
        }
      ],
      "json": "MxCommandReply"
    },
    {
      "name": "write-secured2",
      "section": "Writes by handle, and users",
      "help": "write-secured with a source time of its own.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--item-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From add-item."
        },
        {
          "name": "--type",
          "type": "choice",
          "choices": [
            "bool",
            "int32",
            "int64",
            "float",
            "double",
            "string",
            "timestamp",
            "elapsed",
            "bool[]",
            "int32[]",
            "int64[]",
            "float[]",
            "double[]",
            "string[]",
            "timestamp[]",
            "elapsed[]"
          ],
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Type of the value."
        },
        {
          "name": "--value",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Elements of an array with commas between."
        },
        {
          "name": "--timestamp",
          "type": "RFC3339",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Source time: 2026-01-31T12:00:00Z."
        },
        {
          "name": "--current-user-id",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Operator, from authenticate-user."
        },
        {
          "name": "--verifier-user-id",
          "type": "int",
          "required": false,
          "multiple": false,
          "default": null,
          "help": "Verifier; the operator again when it is not given."
        }
      ],
      "json": "MxCommandReply"
    },
    {
      "name": "authenticate-user",
      "section": "Writes by handle, and users",
      "help": "Checks a user's credentials; prints the user id for writes. The password never comes from the command line.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--user",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "User name, for example DOMAIN\\user."
        },
        {
          "name": "--password-env",
          "type": "text",
          "required": false,
          "multiple": false,
          "default": null,
          "help": "Variable with the password; else it is asked for."
        }
      ],
      "json": [
        "sessionId",
        "userId"
      ]
    },
    {
      "name": "archestra-user-to-id",
      "section": "Writes by handle, and users",
      "help": "The user id of an ArchestrA user by its GUID.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--guid",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "GUID of an ArchestrA user."
        }
      ],
      "json": [
        "sessionId",
        "userId"
      ]
    },
    {
      "name": "read-bulk",
      "section": "Many items in one call",
      "help": "Reads each reference once; advised ones answer from their last value.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--items",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "References, separated by commas."
        },
        {
          "name": "--timeout-ms",
          "type": "int",
          "min": 0,
          "required": false,
          "multiple": false,
          "default": 0,
          "help": "Limit for each tag without a cached value; 0 for the worker's default."
        }
      ],
      "json": [
        "results"
      ]
    },
    {
      "name": "subscribe-bulk",
      "section": "Many items in one call",
      "help": "Adds and advises an item for each reference.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--items",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "References, separated by commas."
        }
      ],
      "json": [
        "results"
      ]
    },
    {
      "name": "unsubscribe-bulk",
      "section": "Many items in one call",
      "help": "Un-advises and removes each item.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--item-handles",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Handles, separated by commas."
        }
      ],
      "json": [
        "results"
      ]
    },
    {
      "name": "add-item-bulk",
      "section": "Many items in one call",
      "help": "Adds an item for each reference.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--items",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "References, separated by commas."
        }
      ],
      "json": [
        "results"
      ]
    },
    {
      "name": "advise-item-bulk",
      "section": "Many items in one call",
      "help": "Advises each item.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--item-handles",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Handles, separated by commas."
        }
      ],
      "json": [
        "results"
      ]
    },
    {
      "name": "unadvise-item-bulk",
      "section": "Many items in one call",
      "help": "Un-advises each item; the items stay.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--item-handles",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Handles, separated by commas."
        }
      ],
      "json": [
        "results"
      ]
    },
    {
      "name": "remove-item-bulk",
      "section": "Many items in one call",
      "help": "Removes each item.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--item-handles",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Handles, separated by commas."
        }
      ],
      "json": [
        "results"
      ]
    },
    {
      "name": "write-bulk",
      "section": "Many items in one call",
      "help": "Writes one value to each item.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--item-handles",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Handles, separated by commas."
        },
        {
          "name": "--type",
          "type": "choice",
          "choices": [
            "bool",
            "int32",
            "int64",
            "float",
            "double",
            "string",
            "timestamp",
            "elapsed",
            "bool[]",
            "int32[]",
            "int64[]",
            "float[]",
            "double[]",
            "string[]",
            "timestamp[]",
            "elapsed[]"
          ],
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Type of all values."
        },
        {
          "name": "--values",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "One value for each handle."
        },
        {
          "name": "--user-id",
          "type": "int",
          "required": false,
          "multiple": false,
          "default": 0,
          "help": "From authenticate-user; 0 is none."
        }
      ],
      "json": [
        "results"
      ]
    },
    {
      "name": "write2-bulk",
      "section": "Many items in one call",
      "help": "write-bulk with one source time for all entries.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--item-handles",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Handles, separated by commas."
        },
        {
          "name": "--type",
          "type": "choice",
          "choices": [
            "bool",
            "int32",
            "int64",
            "float",
            "double",
            "string",
            "timestamp",
            "elapsed",
            "bool[]",
            "int32[]",
            "int64[]",
            "float[]",
            "double[]",
            "string[]",
            "timestamp[]",
            "elapsed[]"
          ],
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Type of all values."
        },
        {
          "name": "--values",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "One value for each handle."
        },
        {
          "name": "--timestamp",
          "type": "RFC3339",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Source time of all entries."
        },
        {
          "name": "--user-id",
          "type": "int",
          "required": false,
          "multiple": false,
          "default": 0,
          "help": "From authenticate-user; 0 is none."
        }
      ],
      "json": [
        "results"
      ]
    },
    {
      "name": "write-secured-bulk",
      "section": "Many items in one call",
      "help": "write-secured for each item.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--item-handles",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Handles, separated by commas."
        },
        {
          "name": "--type",
          "type": "choice",
          "choices": [
            "bool",
            "int32",
            "int64",
            "float",
            "double",
            "string",
            "timestamp",
            "elapsed",
            "bool[]",
            "int32[]",
            "int64[]",
            "float[]",
            "double[]",
            "string[]",
            "timestamp[]",
            "elapsed[]"
          ],
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Type of all values."
        },
        {
          "name": "--values",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "One value for each handle."
        },
        {
          "name": "--current-user-id",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Operator, from authenticate-user."
        },
        {
          "name": "--verifier-user-id",
          "type": "int",
          "required": false,
          "multiple": false,
          "default": null,
          "help": "Verifier; the operator again when it is not given."
        }
      ],
      "json": [
        "results"
      ]
    },
    {
      "name": "write-secured2-bulk",
      "section": "Many items in one call",
      "help": "write-secured-bulk with one source time for all entries.",
      "connects": true,
      "options": [
        {
          "name": "--session-id",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Session, from open-session."
        },
        {
          "name": "--server-handle",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "From register."
        },
        {
          "name": "--item-handles",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Handles, separated by commas."
        },
        {
          "name": "--type",
          "type": "choice",
          "choices": [
            "bool",
            "int32",
            "int64",
            "float",
            "double",
            "string",
            "timestamp",
            "elapsed",
            "bool[]",
            "int32[]",
            "int64[]",
            "float[]",
            "double[]",
            "string[]",
            "timestamp[]",
            "elapsed[]"
          ],
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Type of all values."
        },
        {
          "name": "--values",
          "type": "text",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "One value for each handle."
        },
        {
          "name": "--timestamp",
          "type": "RFC3339",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Source time of all entries."
        },
        {
          "name": "--current-user-id",
          "type": "int",
          "required": true,
          "multiple": false,
          "default": null,
          "help": "Operator, from authenticate-user."
        },
        {
          "name": "--verifier-user-id",
          "type": "int",
          "required": false,
          "multiple": false,
          "default": null,
          "help": "Verifier; the operator again when it is not given."
        }
      ],
      "json": [
        "results"
      ]
    },
    {
      "name": "galaxy-test-connection",
      "section": "Galaxy",
      "help": "Whether the gateway reaches the Galaxy database now. The exit code is 1 when it does not.",
      "connects": true,
      "options": [],
      "json": [
        "ok"
      ]
    },
    {
      "name": "galaxy-last-deploy",
      "section": "Galaxy",
      "help": "When the Galaxy was last deployed.",
      "connects": true,
      "options": [],
      "json": [
        "present",
        "timeOfLastDeploy"
      ]
    },
    {
      "name": "galaxy-discover",
      "section": "Galaxy",
      "help": "The deployed objects with their attributes, as a tree with templates and numbers of attributes, or as JSON.",
      "connects": true,
      "options": [
        {
          "name": "--historized-only",
          "type": "flag",
          "required": false,
          "multiple": false,
          "default": null,
          "help": "Only objects with historized attributes."
        },
        {
          "name": "--alarm-bearing-only",
          "type": "flag",
          "required": false,
          "multiple": false,
          "default": null,
          "help": "Only objects with alarms."
        },
        {
          "name": "--no-attributes",
          "type": "flag",
          "required": false,
          "multiple": false,
          "default": null,
          "help": "Objects only."
        },
        {
          "name": "--ancestors",
          "type": "flag",
          "required": false,
          "multiple": false,
          "default": null,
          "help": "Also the objects above those, without attributes."
        },
        {
          "name": "--origin",
          "type": "choice",
          "choices": [
            "configured",
            "extension",
            "built-in"
          ],
          "required": false,
          "multiple": true,
          "default": null,
          "help": "Only attributes from there; may be repeated."
        },
        {
          "name": "--glob",
          "type": "text",
          "required": false,
          "multiple": false,
          "default": "",
          "help": "Tag names that fit; * and ?."
        },
        {
          "name": "--template",
          "type": "text",
          "required": false,
          "multiple": true,
          "default": null,
          "help": "Template in the chain; may be repeated."
        },
        {
          "name": "--category",
          "type": "int",
          "required": false,
          "multiple": true,
          "default": null,
          "help": "Category id; may be repeated."
        },
        {
          "name": "--root",
          "type": "text",
          "required": false,
          "multiple": false,
          "default": null,
          "help": "Tag name to start at."
        },
        {
          "name": "--root-contained-path",
          "type": "text",
          "required": false,
          "multiple": false,
          "default": null,
          "help": "Browse names joined by / to start at."
        },
        {
          "name": "--max-depth",
          "type": "int",
          "min": 0,
          "required": false,
          "multiple": false,
          "default": null,
          "help": "Levels below the root."
        },
        {
          "name": "--limit",
          "type": "int",
          "min": 1,
          "required": false,
          "multiple": false,
          "default": null,
          "help": "Most objects to print."
        }
      ],
      "json": [
        "objects"
      ]
    },
    {
      "name": "galaxy-browse",
      "section": "Galaxy",
      "help": "The children of one object, areas first; … marks those that have children themselves.",
      "connects": true,
      "options": [
        {
          "name": "--historized-only",
          "type": "flag",
          "required": false,
          "multiple": false,
          "default": null,
          "help": "Only objects with historized attributes."
        },
        {
          "name": "--alarm-bearing-only",
          "type": "flag",
          "required": false,
          "multiple": false,
          "default": null,
          "help": "Only objects with alarms."
        },
        {
          "name": "--no-attributes",
          "type": "flag",
          "required": false,
          "multiple": false,
          "default": null,
          "help": "Objects only."
        },
        {
          "name": "--ancestors",
          "type": "flag",
          "required": false,
          "multiple": false,
          "default": null,
          "help": "Also the objects above those, without attributes."
        },
        {
          "name": "--origin",
          "type": "choice",
          "choices": [
            "configured",
            "extension",
            "built-in"
          ],
          "required": false,
          "multiple": true,
          "default": null,
          "help": "Only attributes from there; may be repeated."
        },
        {
          "name": "--glob",
          "type": "text",
          "required": false,
          "multiple": false,
          "default": "",
          "help": "Tag names that fit; * and ?."
        },
        {
          "name": "--template",
          "type": "text",
          "required": false,
          "multiple": true,
          "default": null,
          "help": "Template in the chain; may be repeated."
        },
        {
          "name": "--category",
          "type": "int",
          "required": false,
          "multiple": true,
          "default": null,
          "help": "Category id; may be repeated."
        },
        {
          "name": "--parent",
          "type": "text",
          "required": false,
          "multiple": false,
          "default": null,
          "help": "Tag name; the top of the Galaxy when not given."
        },
        {
          "name": "--contained-path",
          "type": "text",
          "required": false,
          "multiple": false,
          "default": null,
          "help": "Browse names joined by /."
        }
      ],
      "json": [
        "children",
        "childHasChildren"
      ]
    },
    {
      "name": "galaxy-watch",
      "section": "Galaxy",
      "help": "The current deployment, then each new one, until --max-events, --duration or Ctrl-C.",
      "connects": true,
      "options": [
        {
          "name": "--last-seen-deploy-time",
          "type": "RFC3339",
          "required": false,
          "multiple": false,
          "default": null,
          "help": "Leaves the first event out while it is still this one."
        },
        {
          "name": "--max-events",
          "type": "int",
          "min": 1,
          "required": false,
          "multiple": false,
          "default": null,
          "help": "End after this many events."
        },
        {
          "name": "--duration",
          "type": "float",
          "above": 0,
          "required": false,
          "multiple": false,
          "default": null,
          "help": "End after this many seconds."
        },
        {
          "name": "--jsonl",
          "type": "flag",
          "required": false,
          "multiple": false,
          "default": null,
          "help": "One JSON document a line, as the events come."
        }
      ],
      "json": [
        "events"
      ]
    },
    {
      "name": "query-active-alarms",
      "section": "Alarms",
      "help": "The list of alarms now, the most urgent first.",
      "connects": true,
      "options": [
        {
          "name": "--filter-prefix",
          "type": "text",
          "required": false,
          "multiple": false,
          "default": "",
          "help": "Only alarms whose reference starts so."
        },
        {
          "name": "--limit",
          "type": "int",
          "min": 0,
          "required": false,
          "multiple": false,
          "default": 0,
          "help": "Alarms at most; 0 for all."
        }
      ],
      "json": [
        "alarms"
      ]
    },
    {
      "name": "stream-alarms",
      "section": "Alarms",
      "help": "The active alarms, then each transition, as the gateway sends them, until --max-messages, --duration or Ctrl-C.",
      "connects": true,
      "options": [
        {
          "name": "--filter-prefix",
          "type": "text",
          "required": false,
          "multiple": false,
          "default": "",
          "help": "Only alarms whose reference starts so."
        },
        {
          "name": "--max-messages",
          "type": "int",
          "min": 1,
          "required": false,
          "multiple": false,
          "default": null,
          "help": "End after this many messages."
        },
        {
          "name": "--duration",
          "type": "float",
          "above": 0,
          "required": false,
          "multiple": false,
          "default": null,
          "help": "End after this many seconds."
        },
        {
          "name": "--jsonl",
          "type": "flag",
          "required": false,
          "multiple": false,
          "default": null,
          "help": "One JSON document a line, as the messages come."
        }
      ],
      "json": [
        "messages"
      ]
    },
    {
      "name": "acknowledge-alarm",
      "section": "Alarms",
      "help": "Acknowledges alarms: one, several, or those that a filter takes.",
      "connects": true,
      "options": [
        {
          "name": "--reference",
          "type": "text",
          "required": true,
          "multiple": true,
          "default": null,
          "help": "Provider!Group.Tag, or object and attribute; repeatable."
        },
        {
          "name": "--comment",
          "type": "text",
          "required": false,
          "multiple": false,
          "default": "",
          "help": "Comment of the acknowledgement, 256 characters at most."
        },
        {
          "name": "--operator",
          "type": "text",
          "required": false,
          "multiple": false,
          "default": "",
          "help": "Operator's name."
        },
        {
          "name": "--no-wait",
          "type": "flag",
          "required": false,
          "multiple": false,
          "default": null,
          "help": "Answer as soon as the plant has taken it."
        }
      ],
      "json": "AcknowledgeAlarmReply"
    },
    {
      "name": "bench-read-bulk",
      "section": "Scripts and measurements",
      "help": "Measures read-bulk calls over subscribed tags, one after the other.",
      "connects": true,
      "options": [
        {
          "name": "--duration-seconds",
          "type": "float",
          "above": 0,
          "required": false,
          "multiple": false,
          "default": 30,
          "help": ""
        },
        {
          "name": "--warmup-seconds",
          "type": "float",
          "min": 0,
          "required": false,
          "multiple": false,
          "default": 3,
          "help": ""
        },
        {
          "name": "--tag-prefix",
          "type": "text",
          "required": false,
          "multiple": false,
          "default": "TestMachine_",
          "help": "Name before the number."
        },
        {
          "name": "--tag-start",
          "type": "int",
          "required": false,
          "multiple": false,
          "default": 1,
          "help": "First number."
        },
        {
          "name": "--tag-attribute",
          "type": "text",
          "required": false,
          "multiple": false,
          "default": "TestChangingInt",
          "help": "Attribute of each tag."
        },
        {
          "name": "--bulk-size",
          "type": "int",
          "min": 1,
          "max": 1000,
          "required": false,
          "multiple": false,
          "default": 6,
          "help": "Tags a call."
        },
        {
          "name": "--timeout-ms",
          "type": "int",
          "min": 0,
          "required": false,
          "multiple": false,
          "default": 0,
          "help": "Limit for each tag."
        }
      ],
      "json": [
        "language",
        "durationMs",
        "totalCalls",
        "successfulCalls",
        "failedCalls",
        "totalReadResults",
        "cachedReadResults",
        "callsPerSecond",
        "latencyMs",
        "failureLatencyMs"
      ]
    },
    {
      "name": "bench-stream-events",
      "section": "Scripts and measurements",
      "help": "Measures events: how many a second, and how long from the worker to here.",
      "connects": true,
      "options": [
        {
          "name": "--duration-seconds",
          "type": "float",
          "above": 0,
          "required": false,
          "multiple": false,
          "default": 30,
          "help": ""
        },
        {
          "name": "--warmup-seconds",
          "type": "float",
          "min": 0,
          "required": false,
          "multiple": false,
          "default": 3,
          "help": ""
        },
        {
          "name": "--tag-prefix",
          "type": "text",
          "required": false,
          "multiple": false,
          "default": "TestMachine_",
          "help": "Name before the number."
        },
        {
          "name": "--tag-start",
          "type": "int",
          "required": false,
          "multiple": false,
          "default": 1,
          "help": "First number."
        },
        {
          "name": "--tag-attribute",
          "type": "text",
          "required": false,
          "multiple": false,
          "default": "TestChangingInt",
          "help": "Attribute of each tag."
        },
        {
          "name": "--bulk-size",
          "type": "int",
          "min": 1,
          "max": 50000,
          "required": false,
          "multiple": false,
          "default": 120,
          "help": "Tags a session."
        },
        {
          "name": "--session-count",
          "type": "int",
          "min": 1,
          "max": 1000,
          "required": false,
          "multiple": false,
          "default": 1,
          "help": "Sessions at once."
        },
        {
          "name": "--session-start-stagger-ms",
          "type": "int",
          "min": 0,
          "required": false,
          "multiple": false,
          "default": 750,
          "help": "Between openings."
        }
      ],
      "json": [
        "language",
        "durationMs",
        "sessionCount",
        "tagsPerSession",
        "totalEvents",
        "eventsPerSecond",
        "lostEvents",
        "latencyMs"
      ]
    }
  ]
};
