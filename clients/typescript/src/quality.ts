/** OPC quality words, and what counts as a failure of MXAccess. */

import { nameOf } from "./enums.js";
import { MxStatusCategory, type MxStatusProxy } from "./gen/mxaccess_gateway_pb.js";
import { DETAIL_WORDS, QUALITY_NAMES } from "./tables.js";

const MAJOR = 0xc0;
const NAMES: Readonly<Record<number, string>> = QUALITY_NAMES;
const DETAILS: Readonly<Record<number, string>> = DETAIL_WORDS;

/** Whether an OPC quality word is good (major bits 11, for example 192). */
export function isGood(quality: number): boolean {
  return (quality & MAJOR) === MAJOR;
}

/** Whether an OPC quality word is uncertain (major bits 01, for example 64). */
export function isUncertain(quality: number): boolean {
  return (quality & MAJOR) === 0x40;
}

/** Whether an OPC quality word is bad (major bits 00). */
export function isBad(quality: number): boolean {
  return (quality & MAJOR) === 0;
}

/** The quality in words, for example `Good` for 192; limit bits are left out, an unknown one takes its major. */
export function qualityName(quality: number): string {
  const known = NAMES[quality & 0xfc];
  return known ?? (isGood(quality) ? "Good" : isUncertain(quality) ? "Uncertain" : "Bad");
}

/** Whether a status says that the operation failed; one that nobody filled says nothing, and is none. */
export function isStatusFailure(status: MxStatusProxy): boolean {
  if (status.category === MxStatusCategory.UNSPECIFIED) return false;
  return status.success === 0 || status.category > MxStatusCategory.WARNING;
}

/** One status in words: category, detail number, and what the number means. */
export function statusText(status: MxStatusProxy): string {
  const text = `${nameOf(MxStatusCategory, status.category) ?? "?"} detail ${status.detail}`;
  const meaning = status.diagnosticText || DETAILS[status.detail];
  return meaning ? `${text} (${meaning})` : text;
}
