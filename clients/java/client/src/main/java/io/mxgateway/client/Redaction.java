package io.mxgateway.client;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Keeps secrets out of texts: errors, logs, command lines. */
public final class Redaction {
  private static final String REDACTED = "[redacted]";
  // Keys are mxgw_<id>_<secret>; whatever begins like one is taken for one.
  private static final Pattern KEY_SHAPED = Pattern.compile("mxgw_[A-Za-z0-9_\\-.~+/=]+");
  private static final Pattern BEARER =
      Pattern.compile("(bearer\\s+)[^\\s\"',;]+", Pattern.CASE_INSENSITIVE);
  // Messages show how such a URL is written, by the word itself.
  private static final Pattern URL_PASSWORD =
      Pattern.compile(
          "(://[^/\\s:@]{0,256}:)(?!password@[\\w.]{1,64}/\\w(?!\\S{0,576}@))\\S{0,512}@");
  private static final Pattern SOUNDS_SECRET =
      Pattern.compile(
          "nonce|secret|passw(?:or)?d|passphrase|pwd(?![a-z])|token|credential|api[-_ ]?key"
              + "|authorization|pepper|private[-_ ]?key",
          Pattern.CASE_INSENSITIVE);
  private static final Pattern NAME = Pattern.compile("[\\w.\\-]+");
  // What may stand between a name and its value. Possessive, so that time grows with the text
  // alone.
  private static final Pattern BETWEEN =
      Pattern.compile(
          "(?:\\\\{0,8}[\"'])?\\s{0,64}+(?:[=:]|%3D|%3A)\\s{0,64}+", Pattern.CASE_INSENSITIVE);
  private static final Pattern VALUE =
      Pattern.compile(
          "(?:\\\\++\"(?:(?!\\\\++\")[^\\n]){0,4096}+(?:\\\\++\")?"
              + "|\"(?:[^\"\\\\]|\\\\.|\"\"){0,4096}+\""
              + "|'(?:[^'\\\\]|\\\\.|''){0,4096}+'"
              + "|\\{(?:[^}]|\\}\\}){0,4096}+\\})[^\\s,;}\\])]*+|(?:bearer\\s+)?\\S++",
          Pattern.CASE_INSENSITIVE);
  // In a connection string blanks belong to the value.
  private static final Pattern BEFORE_KEYWORD = Pattern.compile("(?:^|;)\\s{0,16}$");
  private static final Pattern KEYWORD =
      Pattern.compile(
          "(?:nonce|secret|passw(?:or)?d|pwd|token|credential|authorization|pepper)\\s*+=\\s*+",
          Pattern.CASE_INSENSITIVE);
  private static final Pattern REST = Pattern.compile("[^;\\n]{0,4096}+");

  private Redaction() {}

  /**
   * The text without the given secrets and without anything that looks like one: API keys, what
   * follows Bearer, the value of any name that sounds secret, and passwords in URLs. No part of a
   * secret is kept.
   *
   * @param text any text
   * @param secrets texts to take out wherever they stand; empty ones are passed over
   * @return the text without them
   */
  public static String redact(String text, String... secrets) {
    String found = text;
    for (String secret : secrets) {
      if (!secret.isEmpty()) {
        found = found.replace(secret, REDACTED);
      }
    }
    found = KEY_SHAPED.matcher(found).replaceAll(REDACTED);
    if (found.contains("://")) {
      found = URL_PASSWORD.matcher(found).replaceAll("$1" + REDACTED + "@");
    }
    if (SOUNDS_SECRET.matcher(found).find()) {
      found = withoutNamedValues(found);
    }
    return BEARER.matcher(found).replaceAll("$1" + REDACTED);
  }

  private static String withoutNamedValues(String text) {
    StringBuilder kept = new StringBuilder();
    int from = 0;
    Matcher name = NAME.matcher(text);
    for (int at = 0; at < text.length() && name.find(at); ) {
      at = name.end();
      if (!SOUNDS_SECRET.matcher(name.group()).find()) {
        continue;
      }
      int begin = end(BETWEEN, text, at);
      if (begin < 0) {
        continue;
      }
      int value = Math.max(end(VALUE, text, begin), endOfKeyword(text, name.start()));
      if (value <= begin) {
        continue;
      }
      kept.append(text, from, begin).append(REDACTED);
      from = value;
      at = value;
    }
    return kept.append(text, from, text.length()).toString();
  }

  /** Where the value ends of a name that stands where a connection string has its keywords. */
  private static int endOfKeyword(String text, int start) {
    if (!BEFORE_KEYWORD.matcher(text.substring(Math.max(0, start - 17), start)).find()) {
      return -1;
    }
    int value = end(KEYWORD, text, start);
    return value < 0 ? -1 : end(REST, text, value);
  }

  /** Where what a pattern takes at a place ends; -1 when it does not fit there. */
  private static int end(Pattern pattern, String text, int at) {
    Matcher matcher = pattern.matcher(text).region(at, text.length());
    return matcher.lookingAt() ? matcher.end() : -1;
  }
}
