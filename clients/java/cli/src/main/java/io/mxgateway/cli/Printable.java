package io.mxgateway.cli;

/** Lines for a terminal. */
final class Printable {
  private Printable() {}

  /** What names and messages hold can neither break a line nor command the terminal. */
  static String line(String text) {
    StringBuilder line = new StringBuilder();
    text.codePoints()
        .forEach(
            letter -> {
              if (letter == '\t' || isPrintable(letter)) {
                line.appendCodePoint(letter);
              } else {
                line.append(String.format("\\u%04x", letter));
              }
            });
    return line.toString();
  }

  private static boolean isPrintable(int letter) {
    return switch (Character.getType(letter)) {
      case Character.CONTROL,
          Character.FORMAT,
          Character.SURROGATE,
          Character.UNASSIGNED,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR ->
          false;
      default -> true;
    };
  }
}
