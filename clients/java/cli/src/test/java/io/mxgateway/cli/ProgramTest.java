package io.mxgateway.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.mxgateway.cli.CommandTable.Command;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ProgramTest {
  private static final String KEY = "mxgw_line1_Zm9vYmFyYmF6cXV4";

  private final ByteArrayOutputStream output = new ByteArrayOutputStream();
  private final ByteArrayOutputStream errors = new ByteArrayOutputStream();

  private int run(String input, String... arguments) {
    Program program =
        new Program(
            new BufferedReader(new StringReader(input)),
            new PrintStream(output, true, StandardCharsets.UTF_8),
            new PrintStream(errors, true, StandardCharsets.UTF_8),
            Map.of("KEY", KEY)::get);
    return program.execute(List.of(arguments));
  }

  private static String text(ByteArrayOutputStream stream) {
    return stream.toString(StandardCharsets.UTF_8);
  }

  @Test
  void everyCommandOfTheTableIsThereAndItsHelpNamesEachOption() {
    for (Command command : CommandTable.read().commands().values()) {
      output.reset();
      assertEquals(0, run("", command.name(), "--help"), command.name());
      for (CommandTable.Option option : command.options()) {
        assertTrue(text(output).contains(option.name()), command.name() + " " + option.name());
      }
    }
  }

  /** A command that is not there would say so before it says that nobody listens. */
  @Test
  void everyCommandThatConnectsIsReached() {
    for (Command command : CommandTable.read().commands().values()) {
      if (!command.connects()) {
        continue;
      }
      List<String> arguments =
          new ArrayList<>(
              List.of(
                  command.name(),
                  "--endpoint",
                  "127.0.0.1:1",
                  "--plaintext",
                  "--api-key-env",
                  "KEY"));
      for (CommandTable.Option option : command.options()) {
        if (option.isRequired()) {
          arguments.add(option.name());
          arguments.add(
              switch (option.type()) {
                case "int", "float" -> "1";
                case "RFC3339" -> "2026-01-31T12:00:00Z";
                case "choice" -> option.choices().get(0);
                default -> "1";
              });
        }
      }
      errors.reset();
      assertEquals(1, run("", arguments.toArray(new String[0])), command.name());
      assertTrue(text(errors).contains("127.0.0.1:1"), command.name() + ": " + text(errors));
      assertFalse(text(errors).contains("mxgw_"), text(errors));
    }
  }

  @Test
  void wrongUsageNamesTheOptionAndIsCodeTwo() {
    String[][] wrong = {
      {"no-such-command"},
      {"ping"},
      {"ping", "--session-id", "s", "--nope"},
      {"ping", "--session-id", "s", "--plaintext", "--tls"},
      {"advise", "--session-id", "s", "--server-handle", "x", "--item-handle", "1"},
      {"advise", "--session-id", "s", "--server-handle", "99999999999", "--item-handle", "1"},
      {
        "read-bulk",
        "--session-id",
        "s",
        "--server-handle",
        "1",
        "--items",
        "A",
        "--timeout-ms",
        "-1"
      },
      {"galaxy-watch", "--last-seen-deploy-time", "tomorrow"},
      {"ping", "--session-id", "s", "--timeout", "0"},
      {"ping", "--session-id", "s", "--api-key-env", "UNSET"},
      {"ping", "--session-id", "s", "--ca-file", "/nowhere/ca.pem"},
      {"batch", "x"},
    };
    for (String[] each : wrong) {
      errors.reset();
      assertEquals(2, run("", each), String.join(" ", each));
      assertEquals(1, text(errors).lines().count(), text(errors));
      assertTrue(text(errors).startsWith("Error: "), text(errors));
    }
  }

  @Test
  void theCauseOfAWrongNumberIsKept() {
    Command command = CommandTable.read().commands().get("drain-events");
    UsageException wrong =
        assertThrows(
            UsageException.class,
            () -> Given.parse(command, List.of("--session-id", "s", "--max-events", "many")));
    assertInstanceOf(NumberFormatException.class, wrong.getCause());
    assertTrue(wrong.getMessage().contains("--max-events"));
  }

  @Test
  void aBatchAnswersEachLineAndEndsWithItsInput() {
    assertEquals(0, run("\ufeffversion --json\n\n'open\nno-such\n", "batch"));
    List<String> records = List.of(text(output).split("__MXGW_BATCH_EOR__\\R"));
    assertEquals(4, records.size());
    assertTrue(records.get(0).contains("\"name\": \"mxgw-java\""));
    assertEquals("", records.get(1));
    assertTrue(records.get(2).contains("\"type\":\"error\""));
    assertTrue(records.get(3).contains("no-such"));
    assertEquals("", text(errors));
  }
}
