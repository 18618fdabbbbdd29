/** Operations of the subject that need no gateway. */

import { type JsonObject, fromBinary, fromJson, toJson } from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { Metadata, status as Code } from "@grpc/grpc-js";

import { MxStatusProxySchema, MxValueSchema } from "../src/gen/mxaccess_gateway_pb.js";
import {
  CLIENT_VERSION,
  GATEWAY_PROTOCOL_VERSION,
  MxTime,
  WORKER_PROTOCOL_VERSION,
  isBad,
  isGood,
  isStatusFailure,
  isUncertain,
  nextCorrelationId,
  qualityName,
  redact,
  statusText,
  toMxValue,
} from "../src/index.js";
import { messageJson } from "../src/cli/json.js";
import { percentiles } from "../src/cli/percentiles.js";
import { splitLine } from "../src/cli/tokenizer.js";
import { parseValue } from "../src/cli/valueParsing.js";
import { mapRpcError } from "../src/rpcErrors.js";
import { errorOf } from "./main.js";
import { type Args, asJson, schemaOf, tagged, writable } from "./native.js";

/** google.rpc.Status with ErrorInfo and RetryInfo, or the bytes that a case gives. */
function trailers(args: Args): Metadata {
  const metadata = new Metadata();
  const given = args["details_base64"];
  const reason = args["reason"];
  const wait = args["retry_after"];
  if (typeof given === "string") metadata.set("grpc-status-details-bin", Buffer.from(given, "base64"));
  else if (reason !== undefined || wait !== undefined) {
    const writer = new BinaryWriter();
    const detail = (type: string, value: Uint8Array): void => {
      writer
        .tag(3, 2)
        .bytes(
          new BinaryWriter().tag(1, 2).string(`type.googleapis.com/google.rpc.${type}`).tag(2, 2).bytes(value).finish(),
        );
    };
    if (reason !== undefined)
      detail(
        "ErrorInfo",
        new BinaryWriter()
          .tag(1, 2)
          .string(reason as string)
          .finish(),
      );
    if (wait !== undefined) {
      const seconds = Math.floor(wait as number);
      const delay = new BinaryWriter()
        .tag(1, 0)
        .int64(seconds)
        .tag(2, 0)
        .int32(Math.round(((wait as number) - seconds) * 1e9));
      detail("RetryInfo", new BinaryWriter().tag(1, 2).bytes(delay.finish()).finish());
    }
    metadata.set("grpc-status-details-bin", Buffer.from(writer.finish()));
  }
  return metadata;
}

function refusing(work: () => JsonObject): JsonObject {
  try {
    return work();
  } catch (error) {
    return { refused: true, message: (error as Error).message };
  }
}

/** Pure operations, by name. */
export const PURE: Readonly<Record<string, (args: Args) => JsonObject>> = {
  version: () => ({
    client: CLIENT_VERSION,
    gateway_protocol_version: GATEWAY_PROTOCOL_VERSION,
    worker_protocol_version: WORKER_PROTOCOL_VERSION,
  }),
  new_correlation_ids: (args) => {
    const made = Array.from({ length: args["count"] as number }, nextCorrelationId);
    return { unique: new Set(made).size, shortest: Math.min(...made.map((each) => each.length)) };
  },
  to_mx_value: (args) => asJson(MxValueSchema, toMxValue(writable(args["value"] ?? null))),
  from_mx_value: (args) => ({ value: tagged(fromJson(MxValueSchema, args["mx_value"] ?? {})) }),
  is_status_failure: (args) => ({ failure: isStatusFailure(fromJson(MxStatusProxySchema, args["status"] ?? {})) }),
  status_text: (args) => ({ text: statusText(fromJson(MxStatusProxySchema, args["status"] ?? {})) }),
  quality: (args) => {
    const word = args["quality"] as number;
    return { name: qualityName(word), good: isGood(word), uncertain: isUncertain(word), bad: isBad(word) };
  },
  redact: (args) => ({ text: redact(args["text"] as string, args["secret"] as string | undefined) }),
  map_error: (args) => {
    const failure = {
      code: Code[args["code"] as keyof typeof Code],
      details: (args["message"] as string | undefined) ?? "",
      metadata: trailers(args),
    };
    return errorOf(
      mapRpcError(failure, "Call", {
        correlationId: (args["correlation_id"] as string | undefined) ?? "",
        isGalaxy: Boolean(args["galaxy"]),
      }),
    );
  },
  parse_time: (args) =>
    refusing(() => {
      const time = MxTime.parse(args["text"] as string);
      return { seconds: time.seconds.toString(), nanos: time.nanos };
    }),
  parse_value: (args) =>
    refusing(
      () =>
        toJson(MxValueSchema, parseValue(args["text"] as string, args["type"] as string, "--value"), {
          useProtoFieldName: true,
        }) as JsonObject,
    ),
  split_line: (args) => refusing(() => ({ arguments: splitLine(args["line"] as string) })),
  percentiles: (args) => ({ ...percentiles(args["samples"] as number[]) }),
  to_json: (args) => {
    const schema = schemaOf(args["type"] as string);
    return {
      json: messageJson(schema, fromBinary(schema, Buffer.from(args["base64"] as string, "base64"))),
    };
  },
};
