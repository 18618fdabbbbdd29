package io.mxgateway.cli;

import java.util.ArrayList;
import java.util.List;

/** A line of a batch. */
public final class BatchLine {
  private BatchLine() {}

  /**
   * The arguments of a line, quoted as in a POSIX shell; # has no meaning.
   *
   * @param line without its end
   * @return the arguments, none for a blank line
   * @throws IllegalArgumentException when a quote has no end
   */
  public static List<String> split(String line) {
    List<String> arguments = new ArrayList<>();
    StringBuilder current = new StringBuilder();
    boolean isInWord = false;
    int at = 0;
    while (at < line.length()) {
      char letter = line.charAt(at);
      switch (letter) {
        case '\'' -> {
          int end = line.indexOf('\'', at + 1);
          if (end < 0) {
            throw new IllegalArgumentException("a ' has no end");
          }
          current.append(line, at + 1, end);
          at = end;
          isInWord = true;
        }
        case '"' -> {
          at = quoted(line, at + 1, current);
          isInWord = true;
        }
        case '\\' -> {
          if (++at >= line.length()) {
            throw new IllegalArgumentException("a \\ has nothing behind it");
          }
          current.append(line.charAt(at));
          isInWord = true;
        }
        case ' ', '\t', '\r', '\n' -> {
          if (isInWord) {
            arguments.add(current.toString());
            current.setLength(0);
            isInWord = false;
          }
        }
        default -> {
          current.append(letter);
          isInWord = true;
        }
      }
      at++;
    }
    if (isInWord) {
      arguments.add(current.toString());
    }
    return arguments;
  }

  /** Takes what stands between double quotes; where the closing one is. */
  private static int quoted(String line, int start, StringBuilder current) {
    for (int at = start; at < line.length(); at++) {
      char letter = line.charAt(at);
      if (letter == '"') {
        return at;
      }
      boolean isEscape =
          letter == '\\'
              && at + 1 < line.length()
              && (line.charAt(at + 1) == '"' || line.charAt(at + 1) == '\\');
      if (isEscape) {
        at++;
      }
      current.append(line.charAt(at));
    }
    throw new IllegalArgumentException("a \" has no end");
  }
}
