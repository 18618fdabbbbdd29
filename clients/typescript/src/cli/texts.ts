/** Messages as short lines for people. */

import { nameOf } from "../enums.js";
import { MxEventFamily, type MxEvent, type MxValue } from "../gen/mxaccess_gateway_pb.js";
import { isStatusFailure, qualityName, statusText } from "../quality.js";
import { MxTime } from "../time.js";
import { type MxOutput, fromMxValue } from "../values.js";

/** A value as text. */
export function valueText(value: MxValue | undefined): string {
  return value === undefined ? "-" : outputText(fromMxValue(value));
}

function outputText(value: MxOutput): string {
  if (value === null) return "-";
  if (Array.isArray(value))
    return `[${value.map((each) => (typeof each === "string" ? JSON.stringify(each) : outputText(each))).join(", ")}]`;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (value instanceof Map) return `{${[...value].map(([index, each]) => `${index}: ${outputText(each)}`).join(", ")}}`;
  return String(value);
}

/** An event in one line. */
export function eventText(event: MxEvent): string {
  if (event.replayGap !== undefined) return `gap: ${event.replayGap.droppedEvents} events are missing`;
  const failed = event.statuses.filter(isStatusFailure).map(statusText).join(", ");
  const time = event.sourceTimestamp && MxTime.fromTimestamp(event.sourceTimestamp);
  const value =
    event.family === MxEventFamily.ON_DATA_CHANGE ? ` ${valueText(event.value)} ${qualityName(event.quality)}` : "";
  return `#${event.workerSequence} ${nameOf(MxEventFamily, event.family) ?? "?"} item ${event.itemHandle}${value}${time ? ` ${time.toString()}` : ""}${failed ? ` ${failed}` : ""}`;
}
