package io.mxgateway.cli;

import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import io.mxgateway.client.Methods;
import io.mxgateway.proto.BulkReadReply;
import io.mxgateway.proto.BulkReadResult;
import io.mxgateway.proto.BulkSubscribeReply;
import io.mxgateway.proto.CloseSessionReply;
import io.mxgateway.proto.CloseSessionRequest;
import io.mxgateway.proto.MxCommandReply;
import io.mxgateway.proto.MxCommandRequest;
import io.mxgateway.proto.MxEvent;
import io.mxgateway.proto.OpenSessionReply;
import io.mxgateway.proto.OpenSessionRequest;
import io.mxgateway.proto.ProtocolStatus;
import io.mxgateway.proto.ProtocolStatusCode;
import io.mxgateway.proto.RegisterReply;
import io.mxgateway.proto.SessionState;
import io.mxgateway.proto.StreamEventsRequest;
import io.mxgateway.proto.SubscribeResult;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;

/** Answers the calls of a few commands on a port of loopback, and counts. */
final class FakeGateway implements AutoCloseable {
  private static final ProtocolStatus OK =
      ProtocolStatus.newBuilder().setCode(ProtocolStatusCode.PROTOCOL_STATUS_CODE_OK).build();

  final AtomicInteger sessions = new AtomicInteger();
  final AtomicInteger streams = new AtomicInteger();

  /** A permit for each stream that was opened. */
  final Semaphore opened = new Semaphore(0);

  /** A permit for each stream that the client has ended. */
  final Semaphore cancelled = new Semaphore(0);

  volatile boolean holdsClose;
  volatile boolean holdsCommands;
  private final Server server;

  FakeGateway() throws IOException {
    server =
        NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", 0))
            .addService(
                ServerServiceDefinition.builder("mxaccess_gateway.v1.MxAccessGateway")
                    .addMethod(method(Methods.OPEN_SESSION), ServerCalls.asyncUnaryCall(this::open))
                    .addMethod(
                        method(Methods.CLOSE_SESSION), ServerCalls.asyncUnaryCall(this::close))
                    .addMethod(method(Methods.INVOKE), ServerCalls.asyncUnaryCall(this::invoke))
                    .addMethod(
                        method(Methods.STREAM_EVENTS),
                        ServerCalls.asyncServerStreamingCall(this::stream))
                    .build())
            .build()
            .start();
  }

  private static <Q, R> MethodDescriptor<Q, R> method(MethodDescriptor<Q, R> method) {
    return method;
  }

  String endpoint() {
    return "127.0.0.1:" + server.getPort();
  }

  private void open(OpenSessionRequest request, StreamObserver<OpenSessionReply> reply) {
    int number = sessions.incrementAndGet();
    answer(
        reply,
        OpenSessionReply.newBuilder()
            .setSessionId("s" + number)
            .setGatewayProtocolVersion(3)
            .setProtocolStatus(OK)
            .build());
  }

  private void close(CloseSessionRequest request, StreamObserver<CloseSessionReply> reply) {
    if (!holdsClose) {
      answer(
          reply,
          CloseSessionReply.newBuilder()
              .setProtocolStatus(OK)
              .setFinalState(SessionState.SESSION_STATE_CLOSED)
              .build());
    }
  }

  private void invoke(MxCommandRequest request, StreamObserver<MxCommandReply> reply) {
    if (holdsCommands) {
      return;
    }
    MxCommandReply.Builder made = MxCommandReply.newBuilder().setProtocolStatus(OK);
    switch (request.getCommand().getPayloadCase()) {
      case REGISTER -> made.setRegister(RegisterReply.newBuilder().setServerHandle(7));
      case SUBSCRIBE_BULK -> {
        BulkSubscribeReply.Builder results = BulkSubscribeReply.newBuilder();
        request
            .getCommand()
            .getSubscribeBulk()
            .getTagAddressesList()
            .forEach(
                tag ->
                    results.addResults(
                        SubscribeResult.newBuilder().setTagAddress(tag).setWasSuccessful(true)));
        made.setSubscribeBulk(results);
      }
      case READ_BULK -> {
        BulkReadReply.Builder results = BulkReadReply.newBuilder();
        request
            .getCommand()
            .getReadBulk()
            .getTagAddressesList()
            .forEach(
                tag ->
                    results.addResults(
                        BulkReadResult.newBuilder()
                            .setTagAddress(tag)
                            .setWasSuccessful(true)
                            .setWasCached(true)));
        made.setReadBulk(results);
      }
      default -> {}
    }
    answer(reply, made.build());
  }

  /** One event, and then silence until the client ends it. */
  private void stream(StreamEventsRequest request, StreamObserver<MxEvent> reply) {
    ServerCallStreamObserver<MxEvent> call = (ServerCallStreamObserver<MxEvent>) reply;
    streams.incrementAndGet();
    call.setOnCancelHandler(
        () -> {
          streams.decrementAndGet();
          cancelled.release();
        });
    reply.onNext(MxEvent.newBuilder().setWorkerSequence(-1).setItemHandle(3).build());
    opened.release();
  }

  private static <R> void answer(StreamObserver<R> to, R reply) {
    try {
      to.onNext(reply);
      to.onCompleted();
    } catch (IllegalStateException | io.grpc.StatusRuntimeException gone) {
      // The client has taken its call back.
      assert Status.fromThrowable(gone) != null;
    }
  }

  @Override
  public void close() {
    server.shutdownNow();
  }
}
