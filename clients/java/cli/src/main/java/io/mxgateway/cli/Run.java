package io.mxgateway.cli;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.protobuf.Message;
import io.mxgateway.cli.CommandTable.Command;
import io.mxgateway.client.ConnectionBuilder;
import io.mxgateway.client.Contract;
import io.mxgateway.client.GatewayClient;
import io.mxgateway.client.Session;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BiConsumer;

/** One invocation. */
final class Run {
  private static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(30);

  /** Commands that run until they are stopped: --timeout bounds their single calls only. */
  private static final Set<String> ENDLESS =
      Set.of(
          "stream-events",
          "galaxy-watch",
          "stream-alarms",
          "bench-read-bulk",
          "bench-stream-events");

  private static final Map<String, BiConsumer<Run, GatewayClient>> WORKS = new HashMap<>();

  static {
    WORKS.putAll(SessionWorks.ALL);
    WORKS.putAll(ItemWorks.ALL);
    WORKS.putAll(BulkWorks.ALL);
    WORKS.putAll(GalaxyWorks.ALL);
    WORKS.putAll(AlarmWorks.ALL);
    WORKS.put("smoke", Smoke::run);
    WORKS.put("bench-read-bulk", ReadBench::run);
    WORKS.put("bench-stream-events", StreamBench::run);
  }

  final Program program;
  final Command command;
  final Given given;
  final List<String> secrets = new ArrayList<>();
  String keySource = "";

  Run(Program program, Command command, Given given) {
    this.program = program;
    this.command = command;
    this.given = given;
  }

  void work() {
    if (command.name().equals("version")) {
      version();
      return;
    }
    BiConsumer<Run, GatewayClient> job = WORKS.get(command.name());
    if (job == null) {
      throw new UsageException(command.name() + " is not implemented");
    }
    GatewayClient client = client();
    if (ENDLESS.contains(command.name())) {
      job.accept(this, client);
      return;
    }
    within(timeout(), () -> job.accept(this, client));
  }

  /** Interrupts the work when its time is over. */
  private void within(Duration limit, Runnable job) {
    AtomicBoolean isLate = new AtomicBoolean();
    AtomicBoolean isOver = new AtomicBoolean();
    Thread worker = Thread.currentThread();
    Thread timer =
        new Thread(
            () -> {
              try {
                Thread.sleep(limit.toMillis());
              } catch (InterruptedException done) {
                return;
              }
              synchronized (isOver) {
                if (!isOver.get()) {
                  isLate.set(true);
                  worker.interrupt();
                }
              }
            },
            "timeout");
    timer.setDaemon(true);
    timer.start();
    try {
      job.run();
    } catch (CancellationException cancelled) {
      if (!isLate.get() || !program.signal.isEmpty()) {
        throw cancelled;
      }
      throw new FailedCommand("the command did not end within " + seconds(limit) + " (--timeout)");
    } finally {
      synchronized (isOver) {
        isOver.set(true);
        if (isLate.get()) {
          Thread.interrupted();
        }
      }
      timer.interrupt();
    }
  }

  static String seconds(Duration limit) {
    return new java.math.BigDecimal(limit.toNanos())
            .movePointLeft(9)
            .stripTrailingZeros()
            .toPlainString()
        + " s";
  }

  /** Does what has to be done also after an interrupt. */
  static void calmly(Runnable work) {
    boolean isInterrupted = Thread.interrupted();
    try {
      work.run();
    } finally {
      if (isInterrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  Duration timeout() {
    return given.has("--timeout") ? given.time("--timeout") : DEFAULT_TIMEOUT;
  }

  // ------------------------------------------------------------------------------ connecting

  /** The gateway that the options name; the lines of a batch share it. */
  private GatewayClient client() {
    checkReach();
    String endpoint = given.text("--endpoint");
    if (endpoint.isEmpty()) {
      endpoint = given.has("--plaintext") ? "localhost:5000" : "localhost:5001";
    }
    String key = key();
    List<String> reach = new ArrayList<>(List.of(endpoint, key));
    for (String name :
        List.of(
            "--ca-file",
            "--client-cert",
            "--client-key",
            "--server-name-override",
            "--timeout",
            "--shutdown-timeout")) {
      reach.add(given.text(name));
    }
    reach.add(String.valueOf(given.has("--plaintext")));
    GatewayClient open = program.clients.get(reach.toString());
    if (open != null) {
      return open;
    }
    GatewayClient made;
    try {
      made = builder(endpoint, key).connect();
    } catch (IllegalArgumentException wrong) {
      throw new UsageException(wrong.getMessage(), wrong);
    }
    program.clients.put(reach.toString(), made);
    return made;
  }

  private void checkReach() {
    if (given.has("--plaintext") && given.has("--tls")) {
      throw new UsageException("--plaintext and --tls exclude each other");
    }
    boolean hasTls =
        given.has("--ca-file")
            || given.has("--client-cert")
            || given.has("--client-key")
            || given.has("--server-name-override");
    if (given.has("--plaintext") && hasTls) {
      throw new UsageException(
          "--ca-file, --client-cert, --client-key and --server-name-override are TLS options; they"
              + " exclude --plaintext");
    }
    if (given.has("--client-cert") != given.has("--client-key")) {
      throw new UsageException("--client-cert and --client-key belong together");
    }
    if (given.has("--api-key") && given.has("--api-key-env")) {
      throw new UsageException("give either --api-key or --api-key-env");
    }
    for (String name : List.of("--ca-file", "--client-cert", "--client-key")) {
      if (given.has(name) && !Files.exists(Path.of(given.text(name)))) {
        throw new UsageException(name + " " + given.text(name) + " does not exist");
      }
    }
  }

  private String key() {
    if (given.has("--api-key")) {
      keySource = "--api-key";
      secrets.add(given.text("--api-key"));
      return given.text("--api-key");
    }
    if (!given.has("--api-key-env")) {
      return "";
    }
    String name = given.text("--api-key-env");
    String key = program.environment.apply(name);
    if (key == null || key.isEmpty()) {
      throw new UsageException(
          "the environment variable "
              + name
              + " (--api-key-env) is not set; set it to the API key");
    }
    keySource = "environment variable " + name;
    secrets.add(key);
    return key;
  }

  private ConnectionBuilder<GatewayClient> builder(String endpoint, String key) {
    ConnectionBuilder<GatewayClient> builder =
        GatewayClient.builder(endpoint)
            .callTimeout(timeout())
            .connectTimeout(
                timeout().compareTo(Duration.ofSeconds(10)) < 0
                    ? timeout()
                    : Duration.ofSeconds(10))
            .shutdownTimeout(given.time("--shutdown-timeout"));
    if (!key.isEmpty() || given.has("--api-key")) {
      builder.apiKey(key);
    }
    if (given.has("--plaintext")) {
      builder.plaintext();
    }
    if (given.has("--ca-file")) {
      builder.caFile(Path.of(given.text("--ca-file")));
    }
    if (given.has("--client-cert")) {
      builder.clientCertificate(
          Path.of(given.text("--client-cert")), Path.of(given.text("--client-key")));
    }
    if (given.has("--server-name-override")) {
      builder.serverNameOverride(given.text("--server-name-override"));
    }
    return builder;
  }

  Session session(GatewayClient client) {
    return client.attachSession(given.text("--session-id"));
  }

  /** A default name of the table as this program's. */
  static String own(String name) {
    return name.replaceFirst("^mxgw-py", "mxgw-java");
  }

  // ---------------------------------------------------------------------------------- output

  /** Prints one document, or the lines. */
  void print(JsonElement document, List<String> lines) {
    if (given.has("--json")) {
      program.output.println(Documents.indented(document));
    } else {
      lines.forEach(line -> program.output.println(Printable.line(line)));
    }
  }

  void print(Message message, String line) {
    if (given.has("--json")) {
      program.output.println(Documents.indented(Documents.of(message)));
    } else {
      program.output.println(Printable.line(line));
    }
  }

  /** One message of a stream as it comes. */
  void line(Message message, String text) {
    program.output.println(
        given.has("--jsonl") ? Documents.compact(Documents.of(message)) : Printable.line(text));
    program.output.flush();
  }

  static String words(Enum<?> name, String prefix) {
    return name.name().replaceFirst(prefix, "").toLowerCase(Locale.ROOT).replace('_', ' ');
  }

  private void version() {
    JsonObject document = new JsonObject();
    document.addProperty("name", "mxgw-java");
    document.addProperty("version", GatewayClient.VERSION);
    document.addProperty("gatewayProtocolVersion", Contract.GATEWAY_PROTOCOL_VERSION);
    document.addProperty("workerProtocolVersion", Contract.WORKER_PROTOCOL_VERSION);
    print(
        document,
        List.of(
            "mxgw-java "
                + GatewayClient.VERSION
                + ", gateway protocol "
                + Contract.GATEWAY_PROTOCOL_VERSION
                + ", worker protocol "
                + Contract.WORKER_PROTOCOL_VERSION));
  }
}
