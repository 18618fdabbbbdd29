package io.mxgateway.cli;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The commands and options that every client's CLI has, as conformance/cli.json says them. */
record CommandTable(Map<String, Command> commands, String endOfRecord) {

  /** One option. */
  record Option(
      String name,
      String type,
      String help,
      boolean isRequired,
      boolean isMultiple,
      @Nullable String fallback,
      List<String> choices,
      @Nullable Double least,
      @Nullable Double most,
      @Nullable Double above) {
    boolean isFlag() {
      return type.equals("flag");
    }
  }

  /** One command, with the options of every command that connects where it does. */
  record Command(
      String name, String section, String help, boolean connects, List<Option> options) {}

  static CommandTable read() {
    try (InputStream found = CommandTable.class.getResourceAsStream("/cli.json")) {
      JsonObject table =
          JsonParser.parseReader(
                  new InputStreamReader(
                      java.util.Objects.requireNonNull(found), StandardCharsets.UTF_8))
              .getAsJsonObject();
      List<Option> common = options(table.get("commonOptions"));
      Map<String, Command> commands = new LinkedHashMap<>();
      for (JsonElement each : table.getAsJsonArray("commands")) {
        JsonObject command = each.getAsJsonObject();
        boolean connects = command.get("connects").getAsBoolean();
        List<Option> options = options(command.get("options"));
        common.stream()
            .filter(option -> connects || option.name.equals("--json"))
            .forEach(options::add);
        String name = command.get("name").getAsString();
        commands.put(
            name,
            new Command(
                name,
                command.get("section").getAsString(),
                command.get("help").getAsString(),
                connects,
                options));
      }
      return new CommandTable(commands, table.get("batchEndOfRecord").getAsString());
    } catch (IOException broken) {
      throw new UncheckedIOException(broken);
    }
  }

  private static List<Option> options(JsonElement list) {
    List<Option> options = new ArrayList<>();
    for (JsonElement each : list.getAsJsonArray()) {
      JsonObject option = each.getAsJsonObject();
      List<String> choices = new ArrayList<>();
      if (option.has("choices")) {
        option.getAsJsonArray("choices").forEach(choice -> choices.add(choice.getAsString()));
      }
      JsonElement fallback = option.get("default");
      options.add(
          new Option(
              option.get("name").getAsString(),
              option.get("type").getAsString(),
              option.get("help").getAsString(),
              option.get("required").getAsBoolean(),
              option.get("multiple").getAsBoolean(),
              fallback == null || fallback.isJsonNull() ? null : fallback.getAsString(),
              choices,
              number(option, "min"),
              number(option, "max"),
              number(option, "above")));
    }
    return options;
  }

  private static @Nullable Double number(JsonObject option, String key) {
    return option.has(key) ? option.get(key).getAsDouble() : null;
  }
}
