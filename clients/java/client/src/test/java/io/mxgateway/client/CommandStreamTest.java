package io.mxgateway.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.mxgateway.proto.MxCommandBatch;
import io.mxgateway.proto.MxCommandReply;
import io.mxgateway.proto.MxCommandReplyBatch;
import io.mxgateway.proto.MxStreamCommand;
import io.mxgateway.proto.OpenSessionReply;
import io.mxgateway.proto.PingCommand;
import io.mxgateway.proto.ProtocolStatus;
import io.mxgateway.proto.ProtocolStatusCode;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The commands of a session over a stream, with a gateway that answers when it is told. */
class CommandStreamTest {
  private static final int PATIENCE_SECONDS = 20;

  private final Gateway gateway = new Gateway();
  private Server server;
  private Connection connection;
  private CommandStream commands;

  @BeforeEach
  void open() throws Exception {
    server =
        NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", 0))
            .addService(gateway.service())
            .build()
            .start();
    ConnectionOptions options = new ConnectionOptions("127.0.0.1:" + server.getPort());
    options.isPlaintext = true;
    connection = new Connection(options);
    commands = new CommandStream(connection, OpenSessionReply.getDefaultInstance().getSessionId());
  }

  @AfterEach
  void close() throws Exception {
    commands.close();
    connection.close();
    server.shutdownNow();
    assertTrue(server.awaitTermination(PATIENCE_SECONDS, TimeUnit.SECONDS));
  }

  private CallFuture<MxCommandReply> ping(Duration limit) {
    return commands.invoke(
        Commands.of(PingCommand.getDefaultInstance()), CorrelationIds.next(), limit);
  }

  private CallFuture<MxCommandReply> ping() {
    return ping(Duration.ofSeconds(PATIENCE_SECONDS));
  }

  @Test
  void commandsOfManyTravelTogether() throws Exception {
    int rounds = 20;
    int callers = 50;
    gateway.answersTogether(callers);
    for (int round = 0; round < rounds; round++) {
      List<CallFuture<MxCommandReply>> calls = new ArrayList<>();
      for (int caller = 0; caller < callers; caller++) {
        calls.add(ping());
      }
      for (CallFuture<MxCommandReply> each : calls) {
        each.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
      }
    }
    // One each is what a writer makes that never lets others go first.
    assertTrue(
        gateway.messages() <= rounds * callers / 4,
        () -> rounds * callers + " commands went in " + gateway.messages() + " messages");
  }

  @Test
  void aCommandBehindSlowOnesIsSentSoon() throws Exception {
    gateway.answersTogether(Integer.MAX_VALUE);
    for (int number = 1; number <= 5; number++) {
      ping();
      gateway.awaitCommands(number);
    }
  }

  @Test
  void oneTimerSeesEachTimeLimit() throws Exception {
    gateway.answersTogether(Integer.MAX_VALUE);
    CallFuture<MxCommandReply> patient = ping(Duration.ofSeconds(3_600));
    CallFuture<MxCommandReply> longer = ping(Duration.ofMillis(80));
    CallFuture<MxCommandReply> shorter = ping(Duration.ofMillis(40));
    assertThrows(MxTimeoutException.class, shorter::await);
    assertThrows(MxTimeoutException.class, longer::await);
    // What is held is answered with the next one, whichever of them were sent in time.
    gateway.answersTogether(1);
    ping();
    patient.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    gateway.answersTogether(Integer.MAX_VALUE);
    assertThrows(MxTimeoutException.class, ping(Duration.ofMillis(30))::await);
  }

  @Test
  void aTimerKeepsNoThreadOfAClosedConnection() throws Exception {
    CallFuture<MxCommandReply> answered = ping(Duration.ofSeconds(3_600));
    answered.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    connection.close();
    assertTrue(connection.worker.awaitTermination(PATIENCE_SECONDS, TimeUnit.SECONDS));
    assertTrue(connection.armed.isEmpty());
  }

  @Test
  void manyCallersGetTheirOwnAnswers() throws Exception {
    List<CompletableFuture<Void>> callers = new ArrayList<>();
    for (int caller = 0; caller < 16; caller++) {
      callers.add(
          CompletableFuture.runAsync(
              () -> {
                for (int number = 0; number < 200; number++) {
                  String id = CorrelationIds.next();
                  MxCommandReply reply =
                      commands
                          .invoke(
                              Commands.of(PingCommand.getDefaultInstance()),
                              id,
                              Duration.ofSeconds(PATIENCE_SECONDS))
                          .await();
                  assertEquals(id, reply.getCorrelationId());
                }
              },
              task -> new Thread(task).start()));
    }
    for (CompletableFuture<Void> each : callers) {
      each.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }
  }

  /** Answers commands when so many have come. */
  private static final class Gateway
      implements ServerCallHandler<MxCommandBatch, MxCommandReplyBatch> {
    private final List<MxStreamCommand> held = new ArrayList<>();
    private int together = 1;
    private int messages;
    private int came;

    ServerServiceDefinition service() {
      MethodDescriptor<MxCommandBatch, MxCommandReplyBatch> method = Methods.INVOKE_STREAM;
      return ServerServiceDefinition.builder(method.getServiceName())
          .addMethod(ServerMethodDefinition.create(method, this))
          .build();
    }

    synchronized void answersTogether(int commands) {
      together = commands;
    }

    synchronized int messages() {
      return messages;
    }

    synchronized void awaitCommands(int count) throws InterruptedException {
      long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
      while (came < count) {
        long left = until - System.nanoTime();
        assertTrue(left > 0, came + " of " + count + " commands came");
        TimeUnit.NANOSECONDS.timedWait(this, left);
      }
    }

    private synchronized MxCommandReplyBatch take(MxCommandBatch batch) {
      messages++;
      came += batch.getCommandsCount();
      notifyAll();
      held.addAll(batch.getCommandsList());
      MxCommandReplyBatch.Builder replies = MxCommandReplyBatch.newBuilder();
      if (held.size() >= together) {
        for (MxStreamCommand each : held) {
          replies.addReplies(
              MxCommandReply.newBuilder()
                  .setCorrelationId(each.getCorrelationId())
                  .setProtocolStatus(
                      ProtocolStatus.newBuilder()
                          .setCode(ProtocolStatusCode.PROTOCOL_STATUS_CODE_OK)));
        }
        held.clear();
      }
      return replies.build();
    }

    @Override
    public ServerCall.Listener<MxCommandBatch> startCall(
        ServerCall<MxCommandBatch, MxCommandReplyBatch> call, Metadata headers) {
      call.sendHeaders(new Metadata());
      call.request(1);
      return new ServerCall.Listener<>() {
        @Override
        public void onMessage(MxCommandBatch batch) {
          MxCommandReplyBatch replies = take(batch);
          if (replies.getRepliesCount() > 0) {
            call.sendMessage(replies);
          }
          call.request(1);
        }

        @Override
        public void onHalfClose() {
          call.close(Status.OK, new Metadata());
        }
      };
    }
  }
}
