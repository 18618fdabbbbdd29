package io.mxgateway.conformance;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.Message;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContextBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslProvider;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import io.mxgateway.proto.CloseSessionReply;
import io.mxgateway.proto.CloseSessionRequest;
import io.mxgateway.proto.MxCommand;
import io.mxgateway.proto.MxCommandKind;
import io.mxgateway.proto.MxCommandReply;
import io.mxgateway.proto.MxCommandRequest;
import io.mxgateway.proto.MxEventBatch;
import io.mxgateway.proto.OpenSessionReply;
import io.mxgateway.proto.OpenSessionRequest;
import io.mxgateway.proto.ReadBulkCommand;
import io.mxgateway.proto.RegisterCommand;
import io.mxgateway.proto.StreamEventsRequest;
import io.mxgateway.proto.SubscribeBulkCommand;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Iterator;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/**
 * The floor of Java: the generated messages over grpc-java's own stub and nothing else. What it
 * sends is what the client sends: the deadline and the correlation id of each call, keepalive, the
 * limit of a message.
 *
 * <p>{@code reads ENDPOINT CA SIZE} and {@code events ENDPOINT} say {@code {}} when they are ready;
 * then each line <code>{"count": n}</code> asks for so many reads, or for a stream of so many
 * events in batches without TLS, and is answered.
 */
public final class Floor {
  private static final String SERVICE = "mxaccess_gateway.v1.MxAccessGateway/";
  private static final MethodDescriptor<OpenSessionRequest, OpenSessionReply> OPEN =
      method(
          MethodType.UNARY,
          "OpenSession",
          OpenSessionRequest.getDefaultInstance(),
          OpenSessionReply.getDefaultInstance());
  private static final MethodDescriptor<CloseSessionRequest, CloseSessionReply> CLOSE =
      method(
          MethodType.UNARY,
          "CloseSession",
          CloseSessionRequest.getDefaultInstance(),
          CloseSessionReply.getDefaultInstance());
  private static final MethodDescriptor<MxCommandRequest, MxCommandReply> INVOKE =
      method(
          MethodType.UNARY,
          "Invoke",
          MxCommandRequest.getDefaultInstance(),
          MxCommandReply.getDefaultInstance());
  private static final MethodDescriptor<StreamEventsRequest, MxEventBatch> BATCHES =
      method(
          MethodType.SERVER_STREAMING,
          "StreamEventBatches",
          StreamEventsRequest.getDefaultInstance(),
          MxEventBatch.getDefaultInstance());

  /** What a line asks for. */
  private interface Some {
    void add(int count, JsonObject said);
  }

  private final Channel channel;
  private final String session;
  private long count;

  private Floor(Channel channel) {
    this.channel = channel;
    this.session = call(OPEN, OpenSessionRequest.getDefaultInstance()).getSessionId();
  }

  /**
   * Reads, or takes events.
   *
   * @param given what and where; see above
   * @throws IOException the CA file or stdin cannot be read
   */
  public static void main(String[] given) throws IOException {
    if (given[0].equals("events")) {
      events(given[1]);
    } else {
      reads(given[1], new File(given[2]), Integer.parseInt(given[3]));
    }
    System.exit(0);
  }

  /** Answers each line of stdin. */
  private static void asked(Some some) throws IOException {
    BufferedReader lines =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    System.out.println("{}");
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      JsonObject said = new JsonObject();
      some.add(JsonParser.parseString(line).getAsJsonObject().get("count").getAsInt(), said);
      System.out.println(said);
    }
  }

  private static <Q extends Message, R extends Message> MethodDescriptor<Q, R> method(
      MethodType type, String name, Q request, R reply) {
    return MethodDescriptor.<Q, R>newBuilder(
            ProtoUtils.marshaller(request), ProtoUtils.marshaller(reply))
        .setType(type)
        .setFullMethodName(SERVICE + name)
        .build();
  }

  private <Q, R> R call(MethodDescriptor<Q, R> method, Q request) {
    CallOptions limited = CallOptions.DEFAULT.withDeadlineAfter(30, TimeUnit.SECONDS);
    return ClientCalls.blockingUnaryCall(channel, method, limited, request);
  }

  private static ManagedChannel channel(String endpoint, File authority) throws IOException {
    NettyChannelBuilder builder =
        NettyChannelBuilder.forTarget(endpoint)
            .maxInboundMessageSize(16 << 20)
            .keepAliveTime(30, TimeUnit.SECONDS)
            .keepAliveTimeout(10, TimeUnit.SECONDS);
    if (authority == null) {
      return builder.usePlaintext().build();
    }
    // The JDK's TLS, as the client has it: gRPC's own choice is a native library.
    return builder
        .sslContext(
            GrpcSslContexts.configure(SslContextBuilder.forClient(), SslProvider.JDK)
                .trustManager(authority)
                .build())
        .build();
  }

  private MxCommandReply invoke(MxCommand.Builder command) {
    return call(
        INVOKE,
        MxCommandRequest.newBuilder()
            .setSessionId(session)
            .setClientCorrelationId("0000000000000000-" + Long.toHexString(++count))
            .setCommand(command)
            .build());
  }

  private static void events(String endpoint) throws IOException {
    ManagedChannel channel = channel(endpoint, null);
    asked(
        (count, said) -> {
          Context.CancellableContext context = Context.current().withCancellation();
          Context before = context.attach();
          try {
            Iterator<MxEventBatch> stream =
                ClientCalls.blockingServerStreamingCall(
                    channel,
                    BATCHES,
                    CallOptions.DEFAULT,
                    StreamEventsRequest.newBuilder()
                        .setSessionId(new Floor(channel).session)
                        .build());
            long taken = 0;
            while (taken < count) {
              taken += stream.next().getEventsCount();
            }
            said.addProperty("taken", taken);
          } finally {
            context.detachAndCancel(before, null);
          }
        });
  }

  private static void reads(String endpoint, File authority, int size) throws IOException {
    Metadata headers = new Metadata();
    headers.put(
        Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER),
        "Bearer " + System.getenv("MXGATEWAY_API_KEY"));
    ManagedChannel channel = channel(endpoint, authority);
    Floor floor =
        new Floor(
            ClientInterceptors.intercept(
                channel, MetadataUtils.newAttachHeadersInterceptor(headers)));
    int server =
        floor
            .invoke(
                MxCommand.newBuilder()
                    .setKind(MxCommandKind.MX_COMMAND_KIND_REGISTER)
                    .setRegister(RegisterCommand.newBuilder().setClientName("floor")))
            .getRegister()
            .getServerHandle();
    SubscribeBulkCommand.Builder subscribe =
        SubscribeBulkCommand.newBuilder().setServerHandle(server);
    ReadBulkCommand.Builder read = ReadBulkCommand.newBuilder().setServerHandle(server);
    for (int number = 1; number <= size; number++) {
      String tag = String.format(Locale.ROOT, "TestMachine_%03d.TestChangingInt", number);
      subscribe.addTagAddresses(tag);
      read.addTagAddresses(tag);
    }
    floor.invoke(
        MxCommand.newBuilder()
            .setKind(MxCommandKind.MX_COMMAND_KIND_SUBSCRIBE_BULK)
            .setSubscribeBulk(subscribe));
    MxCommand.Builder command =
        MxCommand.newBuilder().setKind(MxCommandKind.MX_COMMAND_KIND_READ_BULK).setReadBulk(read);
    asked(
        (count, said) -> {
          double[] took = new double[count];
          for (int number = 0; number < count; number++) {
            long at = System.nanoTime();
            floor.invoke(command);
            took[number] = (System.nanoTime() - at) / 1e6;
          }
          Arrays.sort(took);
          said.addProperty("p50_ms", took[count / 2]);
        });
    floor.call(CLOSE, CloseSessionRequest.newBuilder().setSessionId(floor.session).build());
  }
}
