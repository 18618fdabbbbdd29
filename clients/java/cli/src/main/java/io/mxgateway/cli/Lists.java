package io.mxgateway.cli;

import java.util.ArrayList;
import java.util.List;

/** Comma-separated texts with CSV quoting. */
final class Lists {
  private Lists() {}

  /** The elements of a text; nothing for an empty one. */
  static List<String> of(String text) {
    List<String> found = new ArrayList<>();
    if (text.isEmpty()) {
      return found;
    }
    int at = 0;
    while (true) {
      while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
        at++;
      }
      StringBuilder element = new StringBuilder();
      if (at < text.length() && text.charAt(at) == '"') {
        at = quoted(text, at + 1, element);
      } else {
        while (at < text.length() && text.charAt(at) != ',') {
          if (text.charAt(at) == '"') {
            throw new IllegalArgumentException(
                "the list cannot be read: a \" stands within an element");
          }
          element.append(text.charAt(at++));
        }
      }
      found.add(element.toString().strip());
      if (at >= text.length()) {
        return found;
      }
      at++;
    }
  }

  /** Takes an element up to its closing quote; where the comma or the end behind it is. */
  private static int quoted(String text, int start, StringBuilder element) {
    int at = start;
    while (true) {
      if (at >= text.length()) {
        throw new IllegalArgumentException("the list cannot be read: a \" has no end");
      }
      char letter = text.charAt(at++);
      if (letter != '"') {
        element.append(letter);
      } else if (at < text.length() && text.charAt(at) == '"') {
        element.append('"');
        at++;
      } else {
        break;
      }
    }
    while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
      at++;
    }
    if (at < text.length() && text.charAt(at) != ',') {
      throw new IllegalArgumentException(
          "the list cannot be read: something stands behind a closing \"");
    }
    return at;
  }

  /** References, none of them empty. */
  static List<String> references(String text, String flag) {
    List<String> found = named(text, flag);
    if (found.contains("")) {
      throw new IllegalArgumentException(
          flag + ": \"" + text + "\": there is an empty reference between its commas");
    }
    return found;
  }

  /** Handles. */
  static List<Integer> handles(String text, String flag) {
    try {
      return named(text, flag).stream().map(Integer::valueOf).toList();
    } catch (NumberFormatException broken) {
      throw new IllegalArgumentException(
          flag + ": \"" + text + "\" is no list of handles such as 1,2,3", broken);
    }
  }

  static List<String> named(String text, String flag) {
    try {
      return of(text);
    } catch (IllegalArgumentException broken) {
      throw new IllegalArgumentException(flag + ": " + broken.getMessage(), broken);
    }
  }
}
