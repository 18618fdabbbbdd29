package io.mxgateway.cli;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import com.google.gson.Strictness;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.Timestamp;
import com.google.protobuf.util.JsonFormat;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The JSON that the command line prints: deterministic, in the order of the contract's fields. */
public final class Documents {
  /** Plain fields are always there, unset messages and optional ones never. */
  private static final JsonFormat.Printer PRINTER =
      JsonFormat.printer().alwaysPrintFieldsWithNoPresence().omittingInsignificantWhitespace();

  private static final Gson INDENTED =
      new GsonBuilder()
          .setPrettyPrinting()
          .disableHtmlEscaping()
          .serializeNulls()
          .setStrictness(Strictness.LENIENT)
          .create();
  private static final Gson COMPACT =
      new GsonBuilder()
          .disableHtmlEscaping()
          .serializeNulls()
          .setStrictness(Strictness.LENIENT)
          .create();
  private static final long FIRST_SECOND = -62_135_596_800L;

  private Documents() {}

  /**
   * The protobuf JSON of a message. A time beyond the calendar, for which protobuf has none, stands
   * as seconds and nanoseconds in words.
   *
   * @param message of the contract
   * @return its document
   */
  public static JsonElement of(Message message) {
    try {
      return ordered(
          message.getDescriptorForType(), JsonParser.parseString(PRINTER.print(message)));
    } catch (InvalidProtocolBufferException | IllegalArgumentException hasFarTimes) {
      List<Timestamp> far = new ArrayList<>();
      Message known = withoutFarTimes(message, far);
      try {
        return ordered(
            message.getDescriptorForType(),
            inWords(JsonParser.parseString(PRINTER.print(known)), far));
      } catch (InvalidProtocolBufferException broken) {
        throw new IllegalStateException("the message has no JSON", broken);
      }
    }
  }

  /**
   * The keys in the order in which the contract declares the fields; the printer goes by number.
   */
  private static JsonElement ordered(Descriptor type, JsonElement element) {
    if (!element.isJsonObject() || type.getFile().getPackage().equals("google.protobuf")) {
      return element;
    }
    JsonObject made = new JsonObject();
    for (FieldDescriptor field : type.getFields()) {
      JsonElement value = element.getAsJsonObject().get(field.getJsonName());
      if (value == null) {
        continue;
      }
      boolean isMessage =
          field.getJavaType() == FieldDescriptor.JavaType.MESSAGE && !field.isMapField();
      if (isMessage && value.isJsonArray()) {
        JsonArray parts = new JsonArray();
        value.getAsJsonArray().forEach(part -> parts.add(ordered(field.getMessageType(), part)));
        value = parts;
      } else if (isMessage) {
        value = ordered(field.getMessageType(), value);
      }
      made.add(field.getJsonName(), value);
    }
    return made;
  }

  /** Puts a time that has a JSON form in the place of each that has none, and notes the latter. */
  private static Message withoutFarTimes(Message message, List<Timestamp> far) {
    if (message instanceof Timestamp stamp) {
      if (Times.isValid(stamp)) {
        return message;
      }
      far.add(stamp);
      return Timestamp.newBuilder().setSeconds(FIRST_SECOND).setNanos(far.size()).build();
    }
    Message.Builder changed = null;
    for (Map.Entry<FieldDescriptor, Object> entry : message.getAllFields().entrySet()) {
      FieldDescriptor field = entry.getKey();
      if (field.getJavaType() != FieldDescriptor.JavaType.MESSAGE || field.isMapField()) {
        continue;
      }
      List<?> parts =
          field.isRepeated() ? (List<?>) entry.getValue() : List.of((Message) entry.getValue());
      for (int index = 0; index < parts.size(); index++) {
        Message part = (Message) parts.get(index);
        Message replaced = withoutFarTimes(part, far);
        if (replaced == part) {
          continue;
        }
        if (changed == null) {
          changed = message.toBuilder();
        }
        if (field.isRepeated()) {
          changed.setRepeatedField(field, index, replaced);
        } else {
          changed.setField(field, replaced);
        }
      }
    }
    return changed == null ? message : changed.build();
  }

  private static JsonElement inWords(JsonElement element, List<Timestamp> far) {
    if (element.isJsonObject()) {
      JsonObject made = new JsonObject();
      element.getAsJsonObject().asMap().forEach((key, value) -> made.add(key, inWords(value, far)));
      return made;
    }
    if (element.isJsonArray()) {
      JsonArray made = new JsonArray();
      element.getAsJsonArray().forEach(each -> made.add(inWords(each, far)));
      return made;
    }
    if (element.isJsonPrimitive() && element.getAsJsonPrimitive().isString()) {
      for (int number = 1; number <= far.size(); number++) {
        String mark =
            Times.text(Timestamp.newBuilder().setSeconds(FIRST_SECOND).setNanos(number).build());
        if (element.getAsString().equals(mark)) {
          return new JsonPrimitive(Times.text(far.get(number - 1)));
        }
      }
    }
    return element;
  }

  /**
   * A list of messages.
   *
   * @param messages of the contract
   * @return their documents
   */
  public static JsonArray of(List<? extends Message> messages) {
    JsonArray array = new JsonArray();
    messages.forEach(message -> array.add(of(message)));
    return array;
  }

  /**
   * A document as --json prints it.
   *
   * @param document any
   * @return with two blanks a level
   */
  public static String indented(JsonElement document) {
    return INDENTED.toJson(document);
  }

  /**
   * A document on one line.
   *
   * @param document any
   * @return without blanks
   */
  public static String compact(JsonElement document) {
    return COMPACT.toJson(document);
  }
}
