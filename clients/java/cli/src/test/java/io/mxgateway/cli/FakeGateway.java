package io.mxgateway.cli;

import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptors;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import io.mxgateway.client.Methods;
import io.mxgateway.proto.AddItemReply;
import io.mxgateway.proto.BulkReadReply;
import io.mxgateway.proto.BulkReadResult;
import io.mxgateway.proto.BulkSubscribeReply;
import io.mxgateway.proto.CloseSessionReply;
import io.mxgateway.proto.CloseSessionRequest;
import io.mxgateway.proto.MxCommand;
import io.mxgateway.proto.MxCommandBatch;
import io.mxgateway.proto.MxCommandReply;
import io.mxgateway.proto.MxCommandReplyBatch;
import io.mxgateway.proto.MxCommandRequest;
import io.mxgateway.proto.MxEvent;
import io.mxgateway.proto.MxEventFamily;
import io.mxgateway.proto.MxStreamCommand;
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
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
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

  /** Calls that are not over. */
  final AtomicInteger calls = new AtomicInteger();

  volatile boolean holdsClose;
  volatile boolean holdsCommands;

  /** Whether a write is followed by its OnWriteComplete. */
  volatile boolean completesWrites;

  private final List<StreamObserver<MxEvent>> events = new CopyOnWriteArrayList<>();
  private final List<String> capabilities;
  private final Server server;

  FakeGateway(String... capabilities) throws IOException {
    this.capabilities = List.of(capabilities);
    ServerServiceDefinition service =
        ServerServiceDefinition.builder("mxaccess_gateway.v1.MxAccessGateway")
            .addMethod(method(Methods.OPEN_SESSION), ServerCalls.asyncUnaryCall(this::open))
            .addMethod(method(Methods.CLOSE_SESSION), ServerCalls.asyncUnaryCall(this::close))
            .addMethod(method(Methods.INVOKE), ServerCalls.asyncUnaryCall(this::invoke))
            .addMethod(
                method(Methods.INVOKE_STREAM), ServerCalls.asyncBidiStreamingCall(this::commands))
            .addMethod(
                method(Methods.STREAM_EVENTS), ServerCalls.asyncServerStreamingCall(this::stream))
            .build();
    server =
        NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", 0))
            .addService(ServerInterceptors.intercept(service, this::counted))
            .build()
            .start();
  }

  private static <Q, R> MethodDescriptor<Q, R> method(MethodDescriptor<Q, R> method) {
    return method;
  }

  private <Q, R> ServerCall.Listener<Q> counted(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    calls.incrementAndGet();
    return new SimpleForwardingServerCallListener<>(next.startCall(call, headers)) {
      @Override
      public void onComplete() {
        super.onComplete();
        calls.decrementAndGet();
      }

      @Override
      public void onCancel() {
        super.onCancel();
        calls.decrementAndGet();
      }
    };
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
            .addAllCapabilities(capabilities)
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
    answer(reply, replyTo(request.getCommand()).build());
  }

  private StreamObserver<MxCommandBatch> commands(StreamObserver<MxCommandReplyBatch> replies) {
    return new StreamObserver<>() {
      @Override
      public void onNext(MxCommandBatch batch) {
        for (MxStreamCommand each : batch.getCommandsList()) {
          if (!holdsCommands) {
            MxCommandReply.Builder reply = replyTo(each.getCommand());
            reply.setCorrelationId(each.getCorrelationId());
            replies.onNext(MxCommandReplyBatch.newBuilder().addReplies(reply).build());
          }
        }
      }

      @Override
      public void onError(Throwable ended) {
        // The client has left.
      }

      @Override
      public void onCompleted() {
        replies.onCompleted();
      }
    };
  }

  private MxCommandReply.Builder replyTo(MxCommand command) {
    MxCommandReply.Builder made = MxCommandReply.newBuilder().setProtocolStatus(OK);
    switch (command.getPayloadCase()) {
      case REGISTER -> made.setRegister(RegisterReply.newBuilder().setServerHandle(7));
      case WRITE -> {
        if (completesWrites) {
          events.forEach(each -> send(each, MxEventFamily.MX_EVENT_FAMILY_ON_WRITE_COMPLETE));
        }
      }
      case ADD_ITEM -> made.setAddItem(AddItemReply.newBuilder().setItemHandle(3));
      case UNSUBSCRIBE_BULK ->
          made.setUnsubscribeBulk(
              BulkSubscribeReply.newBuilder()
                  .addResults(SubscribeResult.newBuilder().setWasSuccessful(true)));
      case SUBSCRIBE_BULK -> {
        BulkSubscribeReply.Builder results = BulkSubscribeReply.newBuilder();
        command
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
        command
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
    return made;
  }

  /** One event, and then silence until the client ends it. */
  private void stream(StreamEventsRequest request, StreamObserver<MxEvent> reply) {
    ServerCallStreamObserver<MxEvent> call = (ServerCallStreamObserver<MxEvent>) reply;
    streams.incrementAndGet();
    call.setOnCancelHandler(
        () -> {
          events.remove(reply);
          streams.decrementAndGet();
          cancelled.release();
        });
    events.add(reply);
    send(reply, MxEventFamily.MX_EVENT_FAMILY_ON_DATA_CHANGE);
    opened.release();
  }

  private static void send(StreamObserver<MxEvent> to, MxEventFamily family) {
    MxEvent event =
        MxEvent.newBuilder().setFamily(family).setWorkerSequence(-1).setItemHandle(3).build();
    synchronized (to) {
      to.onNext(event);
    }
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
