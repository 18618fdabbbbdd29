package io.mxgateway.client;

import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** How a gateway is reached. Its text never shows the key. */
final class ConnectionOptions implements Cloneable {
  final String endpoint;
  final String host;
  final int port;
  @Nullable Supplier<String> key;
  boolean isPlaintext;
  @Nullable Path caFile;
  @Nullable Path clientCertificate;
  @Nullable Path clientKey;
  @Nullable String serverName;
  Duration connectTimeout = Duration.ofSeconds(10);
  Duration callTimeout = Duration.ofSeconds(30);
  @Nullable Duration streamTimeout;
  Duration shutdownTimeout = Duration.ofSeconds(10);
  int maxMessageBytes = Contract.MAX_MESSAGE_BYTES;
  Duration keepaliveTime = Duration.ofSeconds(30);
  Duration keepaliveTimeout = Duration.ofSeconds(10);
  @Nullable RetryPolicy retry;
  Executor executor = CallbackThreads.byDefault();

  ConnectionOptions(String endpoint) {
    this.endpoint = endpoint;
    if (endpoint.contains("://")) {
      throw new IllegalArgumentException(
          "endpoint \"" + endpoint + "\" has a scheme; give host:port, and plaintext() for no TLS");
    }
    int colon = endpoint.lastIndexOf(':');
    String name = endpoint.substring(0, Math.max(colon, 0));
    boolean isV6 = name.startsWith("[") && name.endsWith("]");
    if (colon < 1 || (name.contains(":") && !isV6) || name.matches(".*[/ ].*")) {
      throw new IllegalArgumentException(
          "endpoint \""
              + endpoint
              + "\" is not host:port, for example localhost:5001 or [::1]:5001");
    }
    String digits = endpoint.substring(colon + 1);
    int number = digits.matches("\\d{1,5}") ? Integer.parseInt(digits) : 0;
    if (number < 1 || number > 65535) {
      throw new IllegalArgumentException(
          "endpoint \"" + endpoint + "\" has no port between 1 and 65535");
    }
    host = isV6 ? name.substring(1, name.length() - 1) : name;
    port = number;
  }

  /** What must fit together, checked when the client is made. */
  ConnectionOptions checked() {
    Map<String, @Nullable Object> ofTls = new LinkedHashMap<>();
    ofTls.put("ca_file", caFile);
    ofTls.put("server_name_override", serverName);
    ofTls.put("client_certificate_file", clientCertificate);
    ofTls.put("client_key_file", clientKey);
    ofTls.forEach(
        (name, value) -> {
          if (value != null && isPlaintext) {
            throw new IllegalArgumentException(
                "plaintext excludes " + name + ": it is an option of TLS");
          }
        });
    try {
      return (ConnectionOptions) clone();
    } catch (CloneNotSupportedException impossible) {
      throw new AssertionError(impossible);
    }
  }

  /** The key of a call; empty for none. */
  String apiKey() {
    if (key == null) {
      return "";
    }
    String given = key.get();
    checkKey(given);
    return given;
  }

  static void checkKey(@Nullable String key) {
    if (key == null || key.isEmpty()) {
      throw new IllegalArgumentException("api_key is empty; leave it out to call without a key");
    }
    if (!key.equals(key.strip())) {
      throw new IllegalArgumentException(
          "api_key has white space at its start or end; strip the line end when reading it from a file");
    }
    if (key.chars().anyMatch(letter -> letter < 0x20 || letter > 0x7E)) {
      throw new IllegalArgumentException(
          "api_key holds characters that a gRPC header cannot carry");
    }
  }

  static Duration positive(String name, Duration limit) {
    if (limit.isNegative() || limit.isZero()) {
      throw new IllegalArgumentException(
          name + " is " + seconds(limit) + ", but needs to be a positive time");
    }
    return limit;
  }

  /** A time as people read it. */
  static String seconds(Duration limit) {
    double seconds = limit.toNanos() / 1e9;
    return (seconds == Math.rint(seconds)
            ? Long.toString((long) seconds)
            : Double.toString(seconds))
        + " s";
  }

  @Override
  public String toString() {
    return "gateway " + endpoint + (isPlaintext ? ", plaintext" : ", TLS");
  }
}
