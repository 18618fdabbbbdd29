package io.mxgateway.client;

import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * Says how a gateway is reached. TLS is the default, and nothing but {@link #plaintext()} ever
 * switches it off; nothing is read from the environment.
 *
 * @param <C> what it makes
 */
public final class ConnectionBuilder<C> {
  private final ConnectionOptions options;
  private final Function<Connection, C> make;

  ConnectionBuilder(String endpoint, Function<Connection, C> make) {
    this.options = new ConnectionOptions(endpoint);
    this.make = make;
  }

  /**
   * Sends a key with every call. It is never part of any text.
   *
   * @param key {@code mxgw_<id>_<secret>}
   * @return this
   * @throws IllegalArgumentException when no header can carry it
   */
  public ConnectionBuilder<C> apiKey(String key) {
    ConnectionOptions.checkKey(key);
    options.key = () -> key;
    return this;
  }

  /**
   * Asks for the key before every call, so that it may change while the client lives.
   *
   * @param key must not block for long
   * @return this
   */
  public ConnectionBuilder<C> apiKey(Supplier<String> key) {
    options.key = key;
    return this;
  }

  /**
   * An unencrypted channel.
   *
   * @return this
   */
  public ConnectionBuilder<C> plaintext() {
    options.isPlaintext = true;
    return this;
  }

  /**
   * Trusts the authorities of a PEM file in place of the system's, for example the gateway's
   * gateway-ca.pem.
   *
   * @param file read when the client is made
   * @return this
   */
  public ConnectionBuilder<C> caFile(Path file) {
    options.caFile = file;
    return this;
  }

  /**
   * Shows a certificate to a gateway that asks for one.
   *
   * @param certificate PEM file
   * @param key PEM file in the PKCS#8 form, without a pass phrase
   * @return this
   */
  public ConnectionBuilder<C> clientCertificate(Path certificate, Path key) {
    options.clientCertificate = certificate;
    options.clientKey = key;
    return this;
  }

  /**
   * Expects this name in the certificate in place of the endpoint's host, for tests.
   *
   * @param name of the certificate
   * @return this
   */
  public ConnectionBuilder<C> serverNameOverride(String name) {
    options.serverName = name;
    return this;
  }

  /**
   * Limits connecting; 10 s by default.
   *
   * @param limit positive
   * @return this
   */
  public ConnectionBuilder<C> connectTimeout(Duration limit) {
    options.connectTimeout = ConnectionOptions.positive("connect_timeout", limit);
    return this;
  }

  /**
   * The deadline of each unary call; 30 s by default.
   *
   * @param limit positive
   * @return this
   */
  public ConnectionBuilder<C> callTimeout(Duration limit) {
    options.callTimeout = ConnectionOptions.positive("call_timeout", limit);
    return this;
  }

  /**
   * The deadline of streams; none by default.
   *
   * @param limit positive
   * @return this
   */
  public ConnectionBuilder<C> streamTimeout(Duration limit) {
    options.streamTimeout = ConnectionOptions.positive("stream_timeout", limit);
    return this;
  }

  /**
   * How long closing a session may take, apart from the call timeout; 10 s by default.
   *
   * @param limit positive
   * @return this
   */
  public ConnectionBuilder<C> shutdownTimeout(Duration limit) {
    options.shutdownTimeout = ConnectionOptions.positive("shutdown_timeout", limit);
    return this;
  }

  /**
   * The longest message, both ways; 16 MiB by default, as in the gateway.
   *
   * @param size in bytes, positive
   * @return this
   */
  public ConnectionBuilder<C> maxMessageBytes(int size) {
    if (size <= 0) {
      throw new IllegalArgumentException(
          "max_message_bytes is " + size + ", but needs to be positive");
    }
    options.maxMessageBytes = size;
    return this;
  }

  /**
   * Asks after so long without traffic whether the gateway is still there, while a call is under
   * way; 30 s and 10 s by default. Below 10 s gRPC raises the first by itself.
   *
   * @param every time without traffic; zero switches it off
   * @param timeout how long the answer may take
   * @return this
   */
  public ConnectionBuilder<C> keepalive(Duration every, Duration timeout) {
    if (every.isNegative() || timeout.isNegative() || timeout.isZero()) {
      throw new IllegalArgumentException(
          "keepalive_time "
              + ConnectionOptions.seconds(every)
              + " and keepalive_timeout "
              + ConnectionOptions.seconds(timeout)
              + " need to be positive");
    }
    options.keepaliveTime = every;
    options.keepaliveTimeout = timeout;
    return this;
  }

  /**
   * Repeats failed calls that change nothing. Without it nothing is ever repeated.
   *
   * @param policy when and how
   * @return this
   */
  public ConnectionBuilder<C> retry(RetryPolicy policy) {
    options.retry = policy;
    return this;
  }

  /**
   * Where the outcomes of asynchronous calls are told, and what listens to states is called; the
   * common pool by default, or four threads of the client's own where that has but one. What runs
   * there may block and may call the client; while it waits for a future another thread takes its
   * place. Whoever blocks many threads by other means gives an executor of their own.
   *
   * @param executor of your own
   * @return this
   */
  public ConnectionBuilder<C> executor(Executor executor) {
    options.executor = executor;
    return this;
  }

  /**
   * Makes a client without connecting; the first call does.
   *
   * @return the client; close it
   * @throws IllegalArgumentException for options that do not fit together, or a file that cannot be
   *     read
   */
  public C connectLazily() {
    return make.apply(new Connection(options.checked()));
  }

  /**
   * Makes a client and waits until the gateway answers, at most the connect timeout.
   *
   * @return the client; close it
   * @throws ConnectionException the gateway cannot be reached, or its certificate is not trusted
   * @throws MxTimeoutException it does not answer
   * @throws IllegalArgumentException as {@link #connectLazily()}
   */
  public C connect() {
    Connection connection = new Connection(options.checked());
    try {
      connection.ready().await();
    } catch (RuntimeException failure) {
      connection.close();
      throw failure;
    }
    return make.apply(connection);
  }

  /**
   * {@link #connect()} without waiting.
   *
   * @return the client when the gateway has answered
   */
  public CompletableFuture<C> connectAsync() {
    Connection connection = new Connection(options.checked());
    CallFuture<Void> ready = connection.ready();
    ready.whenComplete(
        (done, failure) -> {
          if (failure != null) {
            connection.shutdown();
          }
        });
    return ready.map(done -> make.apply(connection)).on(options.executor);
  }

  @Override
  public String toString() {
    return options.toString();
  }
}
