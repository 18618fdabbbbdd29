package io.mxgateway.conformance;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import com.google.rpc.Status;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.mxgateway.cli.BatchLine;
import io.mxgateway.cli.Documents;
import io.mxgateway.cli.Summary;
import io.mxgateway.cli.Times;
import io.mxgateway.cli.Values;
import io.mxgateway.client.Contract;
import io.mxgateway.client.CorrelationIds;
import io.mxgateway.client.GatewayClient;
import io.mxgateway.client.MxGatewayException;
import io.mxgateway.client.MxQuality;
import io.mxgateway.client.MxStatuses;
import io.mxgateway.client.MxValues;
import io.mxgateway.client.Redaction;
import io.mxgateway.proto.MxStatusProxy;
import io.mxgateway.proto.MxValue;
import java.time.Duration;
import java.util.Base64;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/** Operations that need no gateway. */
final class PureOperations {
  static final Map<String, Function<Arguments, JsonElement>> ALL =
      Map.ofEntries(
          Map.entry("version", PureOperations::version),
          Map.entry("new_correlation_ids", PureOperations::newIds),
          Map.entry(
              "to_mx_value", a -> Subject.json(MxValues.of(NativeValues.of(a.element("value"))))),
          Map.entry("from_mx_value", PureOperations::fromMxValue),
          Map.entry("is_status_failure", a -> answer("failure", MxStatuses.isFailure(status(a)))),
          Map.entry("quality", PureOperations::quality),
          Map.entry("status_text", a -> answer("text", MxStatuses.text(status(a)))),
          Map.entry(
              "redact", a -> answer("text", Redaction.redact(a.text("text"), a.text("secret")))),
          Map.entry("map_error", PureOperations::mapError),
          Map.entry("parse_time", PureOperations::parseTime),
          Map.entry("parse_value", PureOperations::parseValue),
          Map.entry("split_line", PureOperations::splitLine),
          Map.entry("percentiles", PureOperations::percentiles),
          Map.entry("to_json", PureOperations::toJson));

  private PureOperations() {}

  static JsonObject answer(String key, Object value) {
    JsonObject object = new JsonObject();
    if (value instanceof JsonElement element) {
      object.add(key, element);
    } else if (value instanceof Boolean flag) {
      object.addProperty(key, flag);
    } else if (value instanceof Number number) {
      object.addProperty(key, number);
    } else {
      object.addProperty(key, String.valueOf(value));
    }
    return object;
  }

  private static MxStatusProxy status(Arguments a) {
    return a.message("status", MxStatusProxy.getDefaultInstance());
  }

  private static JsonElement version(Arguments a) {
    JsonObject object = answer("client", GatewayClient.VERSION);
    object.addProperty("gateway_protocol_version", Contract.GATEWAY_PROTOCOL_VERSION);
    object.addProperty("worker_protocol_version", Contract.WORKER_PROTOCOL_VERSION);
    return object;
  }

  private static JsonElement newIds(Arguments a) {
    Set<String> seen = new HashSet<>();
    int shortest = Integer.MAX_VALUE;
    for (int count = 0; count < a.number("count"); count++) {
      String id = CorrelationIds.next();
      seen.add(id);
      shortest = Math.min(shortest, id.length());
    }
    JsonObject object = answer("unique", seen.size());
    object.addProperty("shortest", shortest);
    return object;
  }

  private static JsonElement fromMxValue(Arguments a) {
    MxValue value = a.message("mx_value", MxValue.getDefaultInstance());
    return answer("value", NativeValues.tagged(MxValues.toJava(value), value));
  }

  private static JsonElement quality(Arguments a) {
    int quality = a.number("quality");
    JsonObject object = answer("name", MxQuality.name(quality));
    object.addProperty("good", MxQuality.isGood(quality));
    object.addProperty("uncertain", MxQuality.isUncertain(quality));
    object.addProperty("bad", MxQuality.isBad(quality));
    return object;
  }

  /** What the library makes of a status. */
  private static JsonElement mapError(Arguments a) {
    io.grpc.Status.Code code = io.grpc.Status.Code.valueOf(a.text("code"));
    Status.Builder rich = Status.newBuilder().setCode(code.value()).setMessage(a.text("message"));
    if (a.has("details_base64")) {
      try {
        rich.addAllDetails(
            Status.parseFrom(Base64.getDecoder().decode(a.text("details_base64")))
                .getDetailsList());
      } catch (InvalidProtocolBufferException broken) {
        // A status that cannot be read has no details.
        rich.clearDetails();
      }
    }
    if (a.has("reason")) {
      rich.addDetails(
          Any.pack(
              ErrorInfo.newBuilder()
                  .setReason(a.text("reason"))
                  .setDomain("mxaccess-gateway")
                  .build()));
    }
    if (a.has("retry_after")) {
      Duration delay = a.time("retry_after");
      rich.addDetails(
          Any.pack(
              RetryInfo.newBuilder()
                  .setRetryDelay(
                      com.google.protobuf.Duration.newBuilder()
                          .setSeconds(delay.getSeconds())
                          .setNanos(delay.getNano()))
                  .build()));
    }
    StatusRuntimeException thrown = StatusProto.toStatusRuntimeException(rich.build());
    Metadata trailers = thrown.getTrailers() == null ? new Metadata() : thrown.getTrailers();
    return Subject.error(
        MxGatewayException.fromStatus(
            thrown.getStatus(), trailers, "Call", a.text("correlation_id"), a.flag("galaxy")));
  }

  private static JsonObject refused(IllegalArgumentException refusal) {
    JsonObject object = answer("refused", true);
    object.addProperty("message", refusal.getMessage());
    return object;
  }

  private static JsonElement parseTime(Arguments a) {
    try {
      var stamp = Times.parse(a.text("text"));
      JsonObject object = answer("seconds", Long.toString(stamp.getSeconds()));
      object.addProperty("nanos", stamp.getNanos());
      return object;
    } catch (IllegalArgumentException refusal) {
      return refused(refusal);
    }
  }

  private static JsonElement parseValue(Arguments a) {
    try {
      return Subject.json(Values.parse(a.text("text"), a.text("type"), "--value"));
    } catch (IllegalArgumentException refusal) {
      return refused(refusal);
    }
  }

  private static JsonElement splitLine(Arguments a) {
    try {
      JsonArray found = new JsonArray();
      BatchLine.split(a.text("line")).forEach(found::add);
      return answer("arguments", found);
    } catch (IllegalArgumentException refusal) {
      return answer("refused", true);
    }
  }

  private static JsonElement percentiles(Arguments a) {
    double[] samples = new double[a.list("samples").size()];
    for (int index = 0; index < samples.length; index++) {
      samples[index] = a.list("samples").get(index).getAsDouble();
    }
    return Summary.of(samples).toJson();
  }

  private static JsonElement toJson(Arguments a) {
    byte[] wire = Base64.getDecoder().decode(a.text("base64"));
    for (String where : new String[] {"io.mxgateway.proto.", "io.mxgateway.proto.galaxy."}) {
      try {
        Message prototype =
            (Message)
                Class.forName(where + a.text("type")).getMethod("getDefaultInstance").invoke(null);
        return answer("json", Documents.of(prototype.newBuilderForType().mergeFrom(wire).build()));
      } catch (ClassNotFoundException elsewhere) {
        continue;
      } catch (ReflectiveOperationException | InvalidProtocolBufferException broken) {
        throw new IllegalArgumentException(broken.getMessage(), broken);
      }
    }
    throw new IllegalArgumentException("no message " + a.text("type"));
  }
}
