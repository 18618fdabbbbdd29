package io.mxgateway.cli;

import com.google.gson.JsonObject;
import io.mxgateway.cli.CommandTable.Command;
import io.mxgateway.client.GatewayClient;
import io.mxgateway.client.Redaction;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** One run, or the lines of one batch: its clients outlive a line. */
final class Program {
  static final int DONE = 0;
  static final int FAILURE = 1;
  static final int USAGE = 2;
  static final int INTERRUPTED = 130;
  static final int TERMINATED = 143;

  final CommandTable table = CommandTable.read();
  final BufferedReader input;
  final PrintStream output;
  final PrintStream errors;
  final Function<String, @Nullable String> environment;
  final Map<String, GatewayClient> clients = new LinkedHashMap<>();

  /** What ended the program: INT or TERM; empty while it runs. */
  volatile String signal = "";

  /** Whether it waits for a line: an interrupt does not end that. */
  volatile boolean isReading;

  boolean isInBatch;
  private @Nullable StringBuilder captured;

  Program(
      BufferedReader input,
      PrintStream output,
      PrintStream errors,
      Function<String, @Nullable String> environment) {
    this.input = input;
    this.output = output;
    this.errors = errors;
    this.environment = environment;
  }

  /** Runs one invocation; its exit code. */
  int execute(List<String> arguments) {
    if (arguments.isEmpty()
        || List.of("-h", "--help", "-help", "help").contains(arguments.get(0))) {
      help();
      return DONE;
    }
    Command command = table.commands().get(arguments.get(0));
    if (command == null) {
      return failed(
          null,
          new UsageException(
              "no such command \"" + arguments.get(0) + "\"; mxgw-java --help lists them"));
    }
    List<String> rest = arguments.subList(1, arguments.size());
    if (rest.contains("-h") || rest.contains("--help")) {
      output.print(Given.parser(command).getUsageMessage());
      return DONE;
    }
    if (command.name().equals("batch")) {
      return batch(rest);
    }
    Run run = null;
    try {
      run = new Run(this, command, Given.parse(command, rest));
      run.work();
      return DONE;
    } catch (RuntimeException failure) {
      return failed(run, failure);
    }
  }

  private int failed(@Nullable Run run, RuntimeException failure) {
    int code = failure instanceof UsageException ? USAGE : FAILURE;
    String text = String.valueOf(failure.getMessage());
    if (failure instanceof CancellationException) {
      boolean isTerm = signal.equals("TERM");
      code = isTerm ? TERMINATED : INTERRUPTED;
      text = isTerm ? "ended by SIGTERM" : "interrupted";
    } else if (failure instanceof FailedCommand && text.isEmpty()) {
      return code;
    }
    if (run != null) {
      text = Redaction.redact(text, run.secrets.toArray(new String[0]));
    }
    text = "Error: " + Printable.line(Redaction.redact(text));
    if (captured != null) {
      captured.append(text);
    } else {
      errors.println(text);
    }
    return code;
  }

  /** Tells of progress, so that stdout holds results only. */
  void note(String text) {
    if (captured == null) {
      errors.println(Printable.line(text));
    }
  }

  /**
   * Runs one invocation for each line of stdin, until its end; all lines share their connections.
   */
  private int batch(List<String> arguments) {
    if (!arguments.isEmpty()) {
      return failed(
          null, new UsageException("batch takes no arguments; it reads lines from stdin"));
    }
    if (isInBatch) {
      return failed(null, new UsageException("batch within batch is not possible"));
    }
    isInBatch = true;
    boolean isFirst = true;
    String line;
    while ((line = read()) != null) {
      if (isFirst && line.startsWith("\ufeff")) {
        line = line.substring(1);
      }
      isFirst = false;
      StringBuilder failure = new StringBuilder();
      captured = failure;
      int code = executed(line);
      captured = null;
      if (code != DONE && failure.length() > 0) {
        JsonObject document = new JsonObject();
        document.addProperty("error", failure.toString());
        document.addProperty("type", "error");
        output.println(Documents.compact(document));
      }
      output.println(table.endOfRecord());
      output.flush();
      if (output.checkError()) {
        return FAILURE;
      }
      if (!signal.isEmpty()) {
        return failed(null, new CancellationException());
      }
    }
    return DONE;
  }

  private int executed(String line) {
    List<String> words;
    try {
      words = BatchLine.split(line);
    } catch (IllegalArgumentException broken) {
      return failed(
          null, new UsageException("the line cannot be split: " + broken.getMessage(), broken));
    }
    return words.isEmpty() ? DONE : execute(words);
  }

  private @Nullable String read() {
    try {
      isReading = true;
      return input.readLine();
    } catch (IOException broken) {
      throw new UncheckedIOException(broken);
    } finally {
      isReading = false;
    }
  }

  void close() {
    // Also after an interrupt.
    Thread.interrupted();
    clients.values().forEach(GatewayClient::close);
  }

  private void help() {
    output.print(
        "Usage: mxgw-java COMMAND [OPTIONS]\n\n"
            + "AVEVA System Platform tags from a terminal, through an MXAccess gateway.\n\n"
            + "TLS is the default; an unencrypted channel has to be asked for with --plaintext. A key\n"
            + "comes from --api-key-env VARIABLE, and never appears in any output.\n");
    String section = "";
    for (Command command : table.commands().values()) {
      if (!command.section().equals(section)) {
        section = command.section();
        output.print("\n" + section + ":\n");
      }
      output.printf("  %-30s %s%n", command.name(), command.help());
    }
  }
}
