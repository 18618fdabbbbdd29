package io.mxgateway.client;

import io.mxgateway.proto.BackpressurePolicy;
import io.mxgateway.proto.OpenSessionRequest;
import java.time.Duration;
import java.util.Map;

/** What a session is opened with. */
public final class SessionOptions {
  private final OpenSessionRequest.Builder request = OpenSessionRequest.newBuilder();

  /** The gateway's defaults. */
  public SessionOptions() {}

  /**
   * Names the session in the gateway's logs and dashboard.
   *
   * @param name of the session
   * @return this
   */
  public SessionOptions name(String name) {
    request.setClientSessionName(name);
    return this;
  }

  /**
   * Asks for a backend.
   *
   * @param name simulator, com or replay; empty for the gateway's default
   * @return this
   */
  public SessionOptions backend(String name) {
    request.setRequestedBackend(name);
    return this;
  }

  /**
   * Limits each command in the gateway.
   *
   * @param limit of a command
   * @return this
   */
  public SessionOptions commandTimeout(Duration limit) {
    request.setCommandTimeout(
        com.google.protobuf.Duration.newBuilder()
            .setSeconds(limit.getSeconds())
            .setNanos(limit.getNano()));
    return this;
  }

  /**
   * Passes options to the backend, where the gateway allows them.
   *
   * @param options of the backend
   * @return this
   */
  public SessionOptions backendOptions(Map<String, String> options) {
    request.putAllBackendOptions(options);
    return this;
  }

  /**
   * What the gateway does when this session's events are not taken fast enough.
   *
   * @param policy of the session
   * @return this
   */
  public SessionOptions backpressure(BackpressurePolicy policy) {
    request.setBackpressurePolicy(policy);
    return this;
  }

  /**
   * Keeps the session while no connection of its client is there, for another process that attaches
   * to it.
   *
   * @return this
   */
  public SessionOptions keepWhenDisconnected() {
    request.setKeepWhenDisconnected(true);
    return this;
  }

  /**
   * The correlation id of the opening.
   *
   * @param id not empty
   * @return this
   */
  public SessionOptions correlationId(String id) {
    request.setClientCorrelationId(id);
    return this;
  }

  OpenSessionRequest request() {
    return request.build();
  }
}
