/**
 * Keeps secrets out of texts: errors, logs, command lines. What is taken out: texts that are named, whatever has the shape
 * of an API key, what follows `Bearer`, the value of any name that sounds secret, and passwords in URLs. No part of a
 * secret is kept, not even its last characters. All rules run in time that grows with the text alone.
 */

export const REDACTED = "[redacted]";

const SOUNDS_SECRET =
  /nonce|secret|passw(?:or)?d|passphrase|pwd(?![a-z])|token|credential|api[-_ ]?key|authorization|pepper|private[-_ ]?key/i;
// Keys are `mxgw_<id>_<secret>`; whatever begins like one is taken for one.
const KEY_SHAPED = /mxgw_[A-Za-z0-9_\-.~+/=]+/g;
const BEARER = /(bearer\s+)[^\s"',;]+/gi;
const NAME_CHARACTER = /[\w.-]/;
// What may stand between a name and its value.
const BETWEEN = /(?:\\{0,8}["'])?\s{0,64}(?:[=:]|%3D|%3A)\s{0,64}/iy;
const VALUE =
  /(?:\\+"(?:(?!\\+")[^\n]){0,4096}(?:\\+")?|"(?:[^"\\]|\\.|""){0,4096}"|'(?:[^'\\]|\\.|''){0,4096}'|\{(?:[^}]|\}\}){0,4096}\})[^\s,;}\])]*|(?:bearer\s+)?\S+/iy;
// Messages show how such a URL is written, by the word itself.
const URL_PASSWORD = /(:\/\/[^/\s:@]{0,256}:)(?!password@[\w.]{1,64}\/\w(?!\S{0,576}@))\S{0,512}@/g;
// In a connection string blanks belong to the value; where the sentence around it goes on nobody can tell.
const BEFORE_KEYWORD = /(?:^|;)\s{0,16}$/;
const KEYWORD = /(?:nonce|secret|passw(?:or)?d|pwd|token|credential|authorization|pepper)\s*=\s*/iy;

/**
 * The text without the given secrets, and without anything that looks like one.
 *
 * @param secrets texts to take out wherever they stand; empty ones are passed over.
 */
export function redact(text: string, ...secrets: readonly (string | undefined)[]): string {
  let found = text;
  for (const secret of secrets) if (secret) found = found.split(secret).join(REDACTED);
  found = found.replace(KEY_SHAPED, REDACTED);
  if (found.includes("://")) found = found.replace(URL_PASSWORD, `$1${REDACTED}@`);
  if (SOUNDS_SECRET.test(found)) found = withoutNamedValues(found);
  return found.replace(BEARER, `$1${REDACTED}`);
}

function withoutNamedValues(text: string): string {
  let kept = "";
  let from = 0;
  for (let at = 0; at < text.length;) {
    if (!NAME_CHARACTER.test(text.charAt(at))) {
      at += 1;
      continue;
    }
    const start = at;
    while (at < text.length && NAME_CHARACTER.test(text.charAt(at))) at += 1;
    if (!SOUNDS_SECRET.test(text.slice(start, at))) continue;
    const between = matchAt(BETWEEN, text, at);
    if (between === undefined) continue;
    const begin = at + between;
    const end = Math.max(begin + (matchAt(VALUE, text, begin) ?? 0), endOfKeyword(text, start));
    if (end <= begin) continue;
    kept += text.slice(from, begin) + REDACTED;
    from = end;
    at = end;
  }
  return kept + text.slice(from);
}

/** Where the value ends of a name that stands where a connection string has its keywords; 0 elsewhere. */
function endOfKeyword(text: string, start: number): number {
  if (!BEFORE_KEYWORD.test(text.slice(Math.max(0, start - 17), start))) return 0;
  const name = matchAt(KEYWORD, text, start);
  if (name === undefined) return 0;
  const rest = /^[^;\n]{0,4096}/.exec(text.slice(start + name))?.[0].length ?? 0;
  return start + name + rest;
}

/** How many characters a sticky pattern takes at a place; undefined when it does not fit there. */
function matchAt(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0].length;
}
