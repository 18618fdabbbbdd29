package io.mxgateway.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.Metadata;
import io.grpc.Status;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class ErrorsTest {
  private static final String KEY = "mxgw_line1_Zm9vYmFyYmF6cXV4";

  @Test
  void noTextOfAFailureHoldsTheKey() {
    RpcErrors errors = new RpcErrors("Ping", "c-1", false, "plainkey", false, false);
    Status status =
        Status.UNAVAILABLE
            .withDescription("refused Bearer " + KEY + " and plainkey")
            .withCause(new IllegalStateException("header authorization: Bearer " + KEY));
    MxGatewayException failure = errors.map(status, new Metadata());
    StringWriter trace = new StringWriter();
    failure.printStackTrace(new PrintWriter(trace));
    assertFalse(trace.toString().contains("Zm9v"), trace.toString());
    assertFalse(trace.toString().contains("plainkey"), trace.toString());
    assertInstanceOf(ConnectionException.class, failure);
    assertEquals("c-1", failure.correlationId());
  }

  @Test
  void whatIsPrintedOfAConnectionHasNoKey() {
    ConnectionBuilder<GatewayClient> builder =
        GatewayClient.builder("localhost:1").apiKey(KEY).plaintext();
    assertFalse(builder.toString().contains("mxgw_"));
    try (GatewayClient client = builder.connectLazily()) {
      assertEquals("client of localhost:1, IDLE", client.toString());
    }
  }

  @Test
  void aKeyThatNoHeaderCarriesIsRefusedWithoutShowingIt() {
    for (String key : List.of("", " ", KEY + " ", KEY + "\n", "mxgw_ä_b", "mxgw_a\u0001b")) {
      IllegalArgumentException refusal =
          assertThrows(
              IllegalArgumentException.class,
              () -> GatewayClient.builder("localhost:1").apiKey(key));
      assertFalse(refusal.getMessage().contains("mxgw_"));
      assertTrue(refusal.getMessage().contains("api_key"));
    }
  }

  @Test
  void theTreeIsOne() {
    assertInstanceOf(TransportException.class, Failure.of(ErrorKind.RESOURCE, "too much"));
    assertInstanceOf(CommandException.class, Failure.of(ErrorKind.MXACCESS, "no"));
    assertTrue(Failure.of(ErrorKind.CONNECTION, "gone").isRetryable());
    assertFalse(Failure.of(ErrorKind.TIMEOUT, "late").isRetryable());
    assertEquals(Duration.ZERO, Failure.of(ErrorKind.TIMEOUT, "late").retryAfter());
  }

  @Test
  void redactsInTimeThatGrowsWithTheText() {
    String long1 = "password=\"" + "\\".repeat(100_000);
    String long2 = "secret" + " ".repeat(100_000) + "x";
    assertTrue(Redaction.redact(long1).length() <= long1.length());
    assertEquals(long2, Redaction.redact(long2));
  }
}
