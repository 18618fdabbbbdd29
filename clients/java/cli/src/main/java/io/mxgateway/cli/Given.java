package io.mxgateway.cli;

import com.google.protobuf.Timestamp;
import io.mxgateway.cli.CommandTable.Command;
import io.mxgateway.cli.CommandTable.Option;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/** The options of an invocation, checked, and the defaults of the others. */
final class Given {
  private final Map<String, List<String>> texts = new LinkedHashMap<>();
  private final ParseResult parsed;

  private Given(ParseResult parsed) {
    this.parsed = parsed;
  }

  /** What the parser needs to know of a command. */
  static CommandLine parser(Command command) {
    CommandSpec spec = CommandSpec.create().name("mxgw-java " + command.name());
    spec.usageMessage().description(command.help().replace("%", "%%"));
    for (Option option : command.options()) {
      OptionSpec.Builder made =
          OptionSpec.builder(
                  option.name().equals("--type")
                      ? new String[] {"--type", "--value-type"}
                      : new String[] {option.name()})
              .required(option.isRequired())
              .description(described(option));
      if (option.isFlag()) {
        made.type(boolean.class).arity("0");
      } else if (option.isMultiple()) {
        made.type(List.class).auxiliaryTypes(String.class).arity("1").paramLabel(label(option));
      } else {
        made.type(String.class).arity("1").paramLabel(label(option));
      }
      spec.addOption(made.build());
    }
    return new CommandLine(spec)
        .setExpandAtFiles(false)
        .setInterpolateVariables(false)
        .setAbbreviatedOptionsAllowed(false);
  }

  private static String label(Option option) {
    return option.type().toUpperCase(java.util.Locale.ROOT);
  }

  private static String described(Option option) {
    String notes = "";
    if (option.isRequired()) {
      notes += "  [required]";
    }
    if (option.fallback() != null && !option.fallback().isEmpty()) {
      notes += "  [default: " + option.fallback() + "]";
    }
    if (!option.choices().isEmpty()) {
      notes += "  [" + String.join("|", option.choices()) + "]";
    }
    return (option.help() + notes).replace("%", "%%");
  }

  static Given parse(Command command, List<String> arguments) {
    Given given;
    try {
      given = new Given(parser(command).parseArgs(arguments.toArray(new String[0])));
    } catch (CommandLine.ParameterException wrong) {
      throw new UsageException(
          wrong.getMessage() + "; mxgw-java " + command.name() + " --help lists the options",
          wrong);
    }
    for (Option option : command.options()) {
      if (option.isFlag()) {
        continue;
      }
      if (given.has(option.name())) {
        List<String> values = given.values(option);
        values.forEach(value -> check(option, value));
        given.texts.put(option.name(), values);
      } else if (option.fallback() != null) {
        given.texts.put(option.name(), List.of(option.fallback()));
      }
    }
    return given;
  }

  private List<String> values(Option option) {
    return option.isMultiple()
        ? parsed.matchedOptionValue(option.name(), List.<String>of())
        : List.of(parsed.matchedOptionValue(option.name(), ""));
  }

  /** Refuses a value that is none; the text names the option and the cause is kept. */
  private static void check(Option option, String value) {
    double number;
    try {
      switch (option.type()) {
        case "int" -> number = Long.parseLong(value);
        case "float" -> number = Double.parseDouble(value);
        case "RFC3339" -> {
          Times.parse(value);
          return;
        }
        case "choice" -> {
          if (!option.choices().contains(value)) {
            throw new IllegalArgumentException(
                "\"" + value + "\" is none of " + String.join(", ", option.choices()));
          }
          return;
        }
        default -> {
          return;
        }
      }
    } catch (NumberFormatException broken) {
      throw new UsageException(
          option.name()
              + ": \""
              + value
              + (option.type().equals("int") ? "\" is no whole number" : "\" is no number"),
          broken);
    } catch (IllegalArgumentException broken) {
      throw new UsageException(option.name() + ": " + broken.getMessage(), broken);
    }
    boolean isHandle = option.name().endsWith("-handle") || option.name().endsWith("user-id");
    String wrong = null;
    if (!Double.isFinite(number)) {
      wrong = "\"" + value + "\" is no number";
    } else if (isHandle && (number < Integer.MIN_VALUE || number > Integer.MAX_VALUE)) {
      wrong = value + " is beyond 32 bits";
    } else if (option.least() != null && number < option.least()) {
      wrong = value + " is below " + option.least().longValue();
    } else if (option.most() != null && number > option.most()) {
      wrong = value + " is above " + option.most().longValue();
    } else if (option.above() != null && number <= option.above()) {
      wrong = value + " has to be above " + option.above().longValue();
    }
    if (wrong != null) {
      throw new UsageException(option.name() + ": " + wrong);
    }
  }

  /** Whether the option was given. */
  boolean has(String name) {
    return parsed.hasMatchedOption(name);
  }

  List<String> all(String name) {
    return texts.getOrDefault(name, List.of());
  }

  String text(String name) {
    List<String> found = all(name);
    return found.isEmpty() ? "" : found.get(0);
  }

  long whole(String name) {
    String found = text(name);
    return found.isEmpty() ? 0 : Long.parseLong(found);
  }

  int handle(String name) {
    return (int) whole(name);
  }

  Duration time(String name) {
    return Duration.ofNanos((long) (Double.parseDouble(text(name)) * 1e9));
  }

  Timestamp moment(String name) {
    return Times.parse(text(name));
  }
}
