package io.mxgateway.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.Metadata;
import io.grpc.Status;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ReconnectRulesTest {
  private static MxGatewayException of(Status.Code code) {
    return MxGatewayException.fromStatus(
        Status.fromCode(code), new Metadata(), "StreamEvents", "", false);
  }

  private static ReconnectRules rules(double jitter) {
    return new ReconnectRules(Duration.ofMillis(200), Duration.ofSeconds(5), () -> jitter);
  }

  @Test
  void waitsOutWhatMayPass() {
    Set<Status.Code> passing =
        EnumSet.of(
            Status.Code.UNAVAILABLE,
            Status.Code.CANCELLED,
            Status.Code.DEADLINE_EXCEEDED,
            Status.Code.RESOURCE_EXHAUSTED,
            Status.Code.INTERNAL,
            Status.Code.UNKNOWN,
            Status.Code.ABORTED,
            Status.Code.DATA_LOSS);
    for (Status.Code code : Status.Code.values()) {
      if (code != Status.Code.OK) {
        assertEquals(passing.contains(code), ReconnectRules.isTransient(of(code)), code.name());
      }
    }
  }

  @Test
  void takesALostSessionForOne() {
    assertTrue(ReconnectRules.saysSessionLost(of(Status.Code.NOT_FOUND)));
    assertFalse(ReconnectRules.saysSessionLost(of(Status.Code.UNAVAILABLE)));
  }

  @Test
  void triesAtOnceThenDoublesUpToTheLongest() {
    ReconnectRules rules = rules(1.0);
    long[] expected = {0, 400, 800, 1600, 3200, 5000, 5000};
    for (long milliseconds : expected) {
      assertEquals(Duration.ofMillis(milliseconds), rules.delay(of(Status.Code.UNAVAILABLE)));
    }
    rules.reset();
    assertEquals(Duration.ZERO, rules.delay(of(Status.Code.UNAVAILABLE)));
  }

  @Test
  void neverWaitsLessThanHalfNorLessThanIsAsked() {
    ReconnectRules rules = rules(0.0);
    MxGatewayException asks =
        new Failure(ErrorKind.CONNECTION, "x")
            .retryAfter(com.google.protobuf.Duration.newBuilder().setSeconds(9).build())
            .exception();
    assertEquals(Duration.ofSeconds(9), rules.delay(asks));
    assertEquals(Duration.ofMillis(200), rules.delay(of(Status.Code.UNAVAILABLE)));
  }
}
