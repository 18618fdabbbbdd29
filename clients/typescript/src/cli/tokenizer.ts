/** Splits a line as a POSIX shell does: quotes and backslashes, and nothing else that a shell would do. */

/**
 * The arguments of a line.
 *
 * @throws {SyntaxError} a quote is not closed, or a backslash stands at the end.
 */
export function splitLine(line: string): string[] {
  const found: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < line.length; at += 1) {
    const char = line.charAt(at);
    if (/\s/.test(char)) {
      if (word !== undefined) found.push(word);
      word = undefined;
    } else if (char === "'") {
      const end = line.indexOf("'", at + 1);
      if (end < 0) throw new SyntaxError("a quote is not closed");
      word = (word ?? "") + line.slice(at + 1, end);
      at = end;
    } else if (char === '"') {
      const [text, end] = inQuotes(line, at + 1);
      word = (word ?? "") + text;
      at = end;
    } else if (char === "\\") {
      at += 1;
      if (at === line.length) throw new SyntaxError("a backslash stands at the end");
      word = (word ?? "") + line.charAt(at);
    } else {
      word = (word ?? "") + char;
    }
  }
  if (word !== undefined) found.push(word);
  return found;
}

function inQuotes(line: string, start: number): [text: string, end: number] {
  let text = "";
  for (let at = start; at < line.length; at += 1) {
    const char = line.charAt(at);
    if (char === '"') return [text, at];
    const next = line.charAt(at + 1);
    if (char === "\\" && (next === '"' || next === "\\")) {
      text += next;
      at += 1;
    } else text += char;
  }
  throw new SyntaxError("a quote is not closed");
}
