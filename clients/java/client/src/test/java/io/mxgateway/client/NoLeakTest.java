package io.mxgateway.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** Calls to a port where nobody listens end, and leave no thread behind. */
class NoLeakTest {
  private static void assertNoThreadOfTheClient() throws InterruptedException {
    for (Thread thread : Thread.getAllStackTraces().keySet()) {
      if (thread.getName().startsWith("mxgateway")) {
        thread.join(Duration.ofSeconds(20).toMillis());
        assertFalse(thread.isAlive(), thread.getName());
      }
    }
  }

  private static GatewayClient nobody() {
    return GatewayClient.builder("127.0.0.1:1")
        .plaintext()
        .callTimeout(Duration.ofSeconds(5))
        .connectLazily();
  }

  @Test
  void aRefusedConnectionSaysWhoWasAsked() {
    ConnectionException failure =
        assertThrows(
            ConnectionException.class,
            () -> GatewayClient.builder("127.0.0.1:1").plaintext().connect());
    assertTrue(failure.getMessage().contains("127.0.0.1:1"), failure.getMessage());
    assertEquals("CONNECTION_REFUSED", failure.reason());
    assertTrue(failure.isRetryable());
  }

  @Test
  void aThousandCancelledCallsLeaveNothing() throws Exception {
    for (int count = 0; count < 10; count++) {
      try (GatewayClient client = nobody()) {
        CompletableFuture<Session> opening = client.openSessionAsync(new SessionOptions());
        opening.cancel(true);
        // Refused or cancelled: nobody waits for ever.
        assertTrue(opening.isDone());
      }
    }
    try (GatewayClient client = nobody()) {
      Session session = client.attachSession("s");
      for (int count = 0; count < 1_000; count++) {
        session.asynchronous().ping("x").cancel(true);
      }
    }
    assertNoThreadOfTheClient();
  }

  @Test
  void aClosedClientSaysSo() {
    GatewayClient client = nobody();
    Session session = client.attachSession("s");
    client.close();
    client.close();
    TransportException failure = assertThrows(TransportException.class, () -> session.ping("x"));
    assertEquals(TransportException.class, failure.getClass());
    assertEquals(ConnectionState.CLOSED, client.connectionState());
  }
}
