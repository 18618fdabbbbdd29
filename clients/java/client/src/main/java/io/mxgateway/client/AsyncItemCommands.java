package io.mxgateway.client;

import com.google.protobuf.Message;
import io.mxgateway.proto.ActivateCommand;
import io.mxgateway.proto.AddBufferedItemCommand;
import io.mxgateway.proto.AddItem2Command;
import io.mxgateway.proto.AddItemCommand;
import io.mxgateway.proto.AdviseCommand;
import io.mxgateway.proto.AdviseSupervisoryCommand;
import io.mxgateway.proto.MxCommandReply;
import io.mxgateway.proto.MxStatusProxy;
import io.mxgateway.proto.RegisterCommand;
import io.mxgateway.proto.RemoveItemCommand;
import io.mxgateway.proto.SetBufferedUpdateIntervalCommand;
import io.mxgateway.proto.SuspendCommand;
import io.mxgateway.proto.UnAdviseCommand;
import io.mxgateway.proto.UnregisterCommand;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Function;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** Registrations, items, and what a command needs, without waiting. */
public abstract sealed class AsyncItemCommands permits AsyncWriteCommands {

  final SessionCore core;
  final CallOptions options;
  private final @Nullable Executor executor;

  AsyncItemCommands(SessionCore core, CallOptions options, @Nullable Executor executor) {
    this.core = core;
    this.options = options;
    this.executor = executor;
  }

  /** An outcome as the caller gets it: on the user's executor, or at once for one who waits. */
  final <T> CompletableFuture<T> done(CallFuture<T> outcome) {
    return executor == null ? outcome : outcome.on(executor);
  }

  final CallFuture<MxCommandReply> call(Message payload) {
    return core.invoke(Commands.of(payload), options);
  }

  final CompletableFuture<Void> plain(Message payload) {
    return done(call(payload).map(reply -> null));
  }

  final <R> CompletableFuture<R> payload(
      Message payload, String arm, Predicate<MxCommandReply> has, Function<MxCommandReply, R> get) {
    return done(call(payload).map(reply -> Replies.payload(reply, arm, has, get)));
  }

  static int unsigned(String name, long number) {
    if (number < 0 || number > 0xFFFF_FFFFL) {
      throw new IllegalArgumentException(
          name + " is " + number + ", but needs to be within 0 and " + 0xFFFF_FFFFL);
    }
    return (int) number;
  }

  /**
   * Registers a client with MXAccess.
   *
   * @param clientName name of this client for MXAccess
   * @return the server handle that all other calls need
   */
  public CompletableFuture<Integer> register(String clientName) {
    return payload(
        RegisterCommand.newBuilder().setClientName(clientName).build(),
        "register",
        MxCommandReply::hasRegister,
        reply -> reply.getRegister().getServerHandle());
  }

  /**
   * Ends a registration. Un-advise and remove its items first.
   *
   * @param serverHandle of register
   * @return completes when the gateway has answered
   */
  public CompletableFuture<Void> unregister(int serverHandle) {
    return plain(UnregisterCommand.newBuilder().setServerHandle(serverHandle).build());
  }

  /**
   * Adds an item. MXAccess takes any text: whether the reference exists shows only after advise, by
   * the status of its first OnDataChange.
   *
   * @param serverHandle of register
   * @param item reference, for example TestMachine_001.TestChangingInt
   * @return the item handle
   */
  public CompletableFuture<Integer> addItem(int serverHandle, String item) {
    return payload(
        AddItemCommand.newBuilder()
            .setServerHandle(serverHandle)
            .setItemDefinition(item)
            .setClientHandle(options.number())
            .build(),
        "add_item",
        MxCommandReply::hasAddItem,
        reply -> reply.getAddItem().getItemHandle());
  }

  /**
   * Adds an item by a reference that may start with Me, MyContainer, MyArea and so on.
   *
   * @param serverHandle of register
   * @param item reference, for example TestMachine_001.TestChangingInt
   * @param itemContext object that the reference starts from
   * @return the item handle
   */
  public CompletableFuture<Integer> addItem2(int serverHandle, String item, String itemContext) {
    return payload(
        AddItem2Command.newBuilder()
            .setServerHandle(serverHandle)
            .setItemDefinition(item)
            .setItemContext(itemContext)
            .setClientHandle(options.number())
            .build(),
        "add_item2",
        MxCommandReply::hasAddItem2,
        reply -> reply.getAddItem2().getItemHandle());
  }

  /**
   * Adds an item whose values come in OnBufferedDataChange events.
   *
   * @param serverHandle of register
   * @param item reference, for example TestMachine_001.TestChangingInt
   * @param itemContext object that the reference starts from
   * @return the item handle
   */
  public CompletableFuture<Integer> addBufferedItem(
      int serverHandle, String item, String itemContext) {
    return payload(
        AddBufferedItemCommand.newBuilder()
            .setServerHandle(serverHandle)
            .setItemDefinition(item)
            .setItemContext(itemContext)
            .setClientHandle(options.number())
            .build(),
        "add_buffered_item",
        MxCommandReply::hasAddBufferedItem,
        reply -> reply.getAddBufferedItem().getItemHandle());
  }

  /**
   * Removes an item. Wait for its pending OnWriteComplete first, and un-advise it.
   *
   * @param serverHandle of register
   * @param itemHandle of addItem
   * @return completes when the gateway has answered
   */
  public CompletableFuture<Void> removeItem(int serverHandle, int itemHandle) {
    return plain(
        RemoveItemCommand.newBuilder()
            .setServerHandle(serverHandle)
            .setItemHandle(itemHandle)
            .build());
  }

  /**
   * Subscribes to an item's changes: the current value comes at once, as OnDataChange.
   *
   * @param serverHandle of register
   * @param itemHandle of addItem
   * @return completes when the gateway has answered
   */
  public CompletableFuture<Void> advise(int serverHandle, int itemHandle) {
    return plain(
        AdviseCommand.newBuilder().setServerHandle(serverHandle).setItemHandle(itemHandle).build());
  }

  /**
   * Subscribes on a supervisory connection: no user is needed, and writes to secured attributes
   * pass.
   *
   * @param serverHandle of register
   * @param itemHandle of addItem
   * @return completes when the gateway has answered
   */
  public CompletableFuture<Void> adviseSupervisory(int serverHandle, int itemHandle) {
    return plain(
        AdviseSupervisoryCommand.newBuilder()
            .setServerHandle(serverHandle)
            .setItemHandle(itemHandle)
            .build());
  }

  /**
   * Ends a subscription (UnAdvise). Events that were under way may still arrive afterwards.
   *
   * @param serverHandle of register
   * @param itemHandle of addItem
   * @return completes when the gateway has answered
   */
  public CompletableFuture<Void> unadvise(int serverHandle, int itemHandle) {
    return plain(
        UnAdviseCommand.newBuilder()
            .setServerHandle(serverHandle)
            .setItemHandle(itemHandle)
            .build());
  }

  /**
   * Suspends an advised item.
   *
   * @param serverHandle of register
   * @param itemHandle of addItem
   * @return the call's status; OperationComplete tells the outcome
   */
  public CompletableFuture<MxStatusProxy> suspend(int serverHandle, int itemHandle) {
    return payload(
        SuspendCommand.newBuilder().setServerHandle(serverHandle).setItemHandle(itemHandle).build(),
        "suspend",
        MxCommandReply::hasSuspend,
        reply -> reply.getSuspend().getStatus());
  }

  /**
   * Resumes a suspended item; its current value is sent again.
   *
   * @param serverHandle of register
   * @param itemHandle of addItem
   * @return the call's status
   */
  public CompletableFuture<MxStatusProxy> activate(int serverHandle, int itemHandle) {
    return payload(
        ActivateCommand.newBuilder()
            .setServerHandle(serverHandle)
            .setItemHandle(itemHandle)
            .build(),
        "activate",
        MxCommandReply::hasActivate,
        reply -> reply.getActivate().getStatus());
  }

  /**
   * Sets how often buffered items deliver.
   *
   * @param serverHandle of register
   * @param milliseconds MXAccess rounds up to a multiple of 100
   * @return completes when the gateway has answered
   */
  public CompletableFuture<Void> setBufferedUpdateInterval(int serverHandle, int milliseconds) {
    return plain(
        SetBufferedUpdateIntervalCommand.newBuilder()
            .setServerHandle(serverHandle)
            .setUpdateIntervalMilliseconds(milliseconds)
            .build());
  }
}
