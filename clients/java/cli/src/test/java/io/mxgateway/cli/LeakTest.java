package io.mxgateway.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.mxgateway.client.ConfirmOptions;
import io.mxgateway.client.EventStream;
import io.mxgateway.client.GatewayClient;
import io.mxgateway.client.Session;
import io.mxgateway.client.WriteOutcome;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A thousand of everything leaves nothing: no call and no thread. */
@Timeout(60)
class LeakTest {
  private static final int TIMES = 1_000;

  private FakeGateway gateway;
  private GatewayClient client;

  /** Commands by calls of their own, or over one stream. */
  private void start(boolean overStream) throws Exception {
    gateway = overStream ? new FakeGateway("command-stream") : new FakeGateway();
    client = GatewayClient.builder(gateway.endpoint()).plaintext().connect();
  }

  private static void eventually(String what, BooleanSupplier holds) throws Exception {
    long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (!holds.getAsBoolean()) {
      assertTrue(System.nanoTime() < until, what);
      Thread.onSpinWait();
    }
  }

  private void noCallIsLeft() throws Exception {
    eventually("calls are left", () -> gateway.calls.get() == 0);
    assertEquals(0, gateway.streams.get());
  }

  @AfterEach
  void nothingIsLeft() throws Exception {
    client.close();
    for (Thread thread : Thread.getAllStackTraces().keySet()) {
      if (thread.getName().startsWith("mxgateway")) {
        thread.join(TimeUnit.SECONDS.toMillis(20));
        assertFalse(thread.isAlive(), thread.getName());
      }
    }
    noCallIsLeft();
    gateway.close();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void sessionsThatAreOpenedAndClosed(boolean overStream) throws Exception {
    start(overStream);
    for (int count = 0; count < TIMES; count++) {
      try (Session session = client.openSession()) {
        session.ping("x");
      }
    }
    assertEquals(TIMES, gateway.sessions.get());
    noCallIsLeft();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void callsThatAreCancelled(boolean overStream) throws Exception {
    start(overStream);
    try (Session session = client.openSession()) {
      gateway.holdsCommands = true;
      for (int count = 0; count < TIMES; count++) {
        CompletableFuture<String> call = session.asynchronous().ping("x");
        assertTrue(call.cancel(true));
        assertThrows(CancellationException.class, call::join);
      }
      for (int count = 0; count < TIMES; count++) {
        Thread.currentThread().interrupt();
        assertThrows(CancellationException.class, () -> session.ping("x"));
        assertTrue(Thread.interrupted());
      }
      gateway.holdsCommands = false;
      session.ping("y");
    }
    noCallIsLeft();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void streamsThatSomebodyLeaves(boolean overStream) throws Exception {
    start(overStream);
    try (Session session = client.openSession()) {
      for (int count = 0; count < TIMES; count++) {
        EventStream events = session.events();
        if (count % 2 == 0) {
          assertEquals(3, events.next().getItemHandle());
        }
        events.close();
        assertNull(events.next());
      }
    }
    assertTrue(gateway.opened.tryAcquire(TIMES / 2, 20, TimeUnit.SECONDS));
    noCallIsLeft();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void confirmedWritesAsFutures(boolean overStream) throws Exception {
    start(overStream);
    try (Session session = client.openSession()) {
      for (int count = 0; count < TIMES / 10; count++) {
        gateway.completesWrites = count % 2 == 0;
        CompletableFuture<WriteOutcome> write =
            session.asynchronous().writeAndConfirm("A.B", 5, new ConfirmOptions());
        if (gateway.completesWrites) {
          assertEquals(5, write.get(20, TimeUnit.SECONDS).value().getInt32Value());
        } else {
          assertTrue(write.cancel(true));
          assertThrows(CancellationException.class, write::join);
        }
      }
    }
    noCallIsLeft();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void subscriptionsThatComeAndGo(boolean overStream) throws Exception {
    start(overStream);
    for (int count = 0; count < TIMES / 10; count++) {
      client.subscribe(List.of("A.B")).close();
    }
    assertEquals(TIMES / 10, gateway.sessions.get());
    noCallIsLeft();
  }
}
