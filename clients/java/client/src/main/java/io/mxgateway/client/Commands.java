package io.mxgateway.client;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.OneofDescriptor;
import com.google.protobuf.Message;
import io.mxgateway.proto.MxCommand;
import io.mxgateway.proto.MxCommandKind;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/** Makes commands of generated payloads. */
public final class Commands {
  private static final OneofDescriptor PAYLOAD =
      MxCommand.getDescriptor().getOneofs().stream()
          .filter(each -> each.getName().equals("payload"))
          .findFirst()
          .orElseThrow();

  /** The field of each payload's type. */
  private static final Map<String, FieldDescriptor> FIELDS = new HashMap<>();

  private static final Map<String, MxCommandKind> KINDS = new HashMap<>();
  private static final Map<MxCommand.PayloadCase, String> ARMS =
      new EnumMap<>(MxCommand.PayloadCase.class);

  static {
    for (MxCommandKind kind : MxCommandKind.values()) {
      KINDS.put(kind.name().replaceFirst("MX_COMMAND_KIND_", "").toLowerCase(Locale.ROOT), kind);
    }
    for (FieldDescriptor field : PAYLOAD.getFields()) {
      FIELDS.put(field.getMessageType().getFullName(), field);
      ARMS.put(MxCommand.PayloadCase.forNumber(field.getNumber()), field.getName());
    }
  }

  private Commands() {}

  /**
   * The command of a generated payload, for example of a {@code WriteCommand}; its kind is the one
   * that belongs to it.
   *
   * @param payload one of those that {@code MxCommand} has a field for
   * @return the command
   * @throws IllegalArgumentException when it has none
   */
  public static MxCommand of(Message payload) {
    FieldDescriptor field = FIELDS.get(payload.getDescriptorForType().getFullName());
    if (field == null) {
      throw new IllegalArgumentException(
          payload.getDescriptorForType().getFullName() + " is no payload of a command");
    }
    MxCommand.Builder command = MxCommand.newBuilder();
    MxCommandKind kind = KINDS.get(field.getName());
    if (kind != null) {
      command.setKind(kind);
    }
    return command.setField(field, payload).build();
  }

  /** The payload's field, for example {@code write}; empty for none. */
  static String arm(MxCommand command) {
    return ARMS.getOrDefault(command.getPayloadCase(), "");
  }

  /** The method of a command as MXAccess calls it, for texts. */
  static String methodOf(MxCommand command) {
    String name = Tables.METHOD_OF_COMMAND.get(arm(command));
    return name == null ? "command " + command.getKindValue() : name;
  }

  static boolean isRepeatable(MxCommand command) {
    return Tables.REPEATABLE_COMMANDS.contains(arm(command));
  }
}
