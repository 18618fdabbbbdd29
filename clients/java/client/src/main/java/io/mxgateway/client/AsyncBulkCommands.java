package io.mxgateway.client;

import com.google.protobuf.Message;
import io.mxgateway.proto.AddItemBulkCommand;
import io.mxgateway.proto.AdviseItemBulkCommand;
import io.mxgateway.proto.BulkReadResult;
import io.mxgateway.proto.BulkSubscribeReply;
import io.mxgateway.proto.BulkWriteReply;
import io.mxgateway.proto.BulkWriteResult;
import io.mxgateway.proto.MxCommandReply;
import io.mxgateway.proto.ReadBulkCommand;
import io.mxgateway.proto.RemoveItemBulkCommand;
import io.mxgateway.proto.SubscribeBulkCommand;
import io.mxgateway.proto.SubscribeResult;
import io.mxgateway.proto.UnAdviseItemBulkCommand;
import io.mxgateway.proto.UnsubscribeBulkCommand;
import io.mxgateway.proto.Write2BulkCommand;
import io.mxgateway.proto.Write2BulkEntry;
import io.mxgateway.proto.WriteBulkCommand;
import io.mxgateway.proto.WriteBulkEntry;
import io.mxgateway.proto.WriteSecured2BulkCommand;
import io.mxgateway.proto.WriteSecured2BulkEntry;
import io.mxgateway.proto.WriteSecuredBulkCommand;
import io.mxgateway.proto.WriteSecuredBulkEntry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Function;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** Many items in one call, without waiting. */
public abstract sealed class AsyncBulkCommands extends AsyncWriteCommands permits AsyncSession {

  AsyncBulkCommands(SessionCore core, CallOptions options, @Nullable Executor executor) {
    super(core, options, executor);
  }

  /** Refuses what one call cannot take, before anything is sent. */
  private <T> Collection<T> checked(String name, @Nullable Collection<T> entries) {
    if (entries == null) {
      throw new IllegalArgumentException(name + " is null; give a list");
    }
    int index = 0;
    for (T entry : entries) {
      if (entry == null) {
        throw new IllegalArgumentException(name + "[" + index + "] is null");
      }
      index++;
    }
    if (entries.size() > core.maxBulk()) {
      throw new IllegalArgumentException(
          name
              + " has "
              + entries.size()
              + " entries; one call takes at most "
              + core.maxBulk()
              + ", so split it");
    }
    return entries;
  }

  private <E, R> List<R> each(@Nullable Collection<E> entries, Function<E, R> convert) {
    List<R> made = new ArrayList<>();
    for (E entry : checked("entries", entries)) {
      try {
        made.add(convert.apply(entry));
      } catch (IllegalArgumentException refused) {
        throw new IllegalArgumentException(
            "entries[" + made.size() + "]: " + refused.getMessage(), refused);
      }
    }
    return made;
  }

  private static int milliseconds(Duration limit) {
    return unsigned("timeout_ms", limit.toMillis());
  }

  private CompletableFuture<List<SubscribeResult>> subscribing(
      Message payload,
      String arm,
      int count,
      Predicate<MxCommandReply> has,
      Function<MxCommandReply, BulkSubscribeReply> get) {
    return done(
        call(payload)
            .map(
                reply ->
                    Replies.counted(
                        reply,
                        Tables.METHOD_OF_COMMAND.get(arm),
                        Replies.payload(reply, arm, has, get).getResultsList(),
                        count)));
  }

  private CompletableFuture<List<BulkWriteResult>> writing(
      Message payload,
      String arm,
      int count,
      Predicate<MxCommandReply> has,
      Function<MxCommandReply, BulkWriteReply> get) {
    return done(
        call(payload)
            .map(
                reply ->
                    Replies.counted(
                        reply,
                        Tables.METHOD_OF_COMMAND.get(arm),
                        Replies.payload(reply, arm, has, get).getResultsList(),
                        count)));
  }

  private CompletableFuture<List<BulkReadResult>> reading(Message payload, int count) {
    return done(
        call(payload)
            .map(
                reply ->
                    Replies.counted(
                        reply,
                        "ReadBulk",
                        Replies.payload(
                                reply,
                                "read_bulk",
                                MxCommandReply::hasReadBulk,
                                MxCommandReply::getReadBulk)
                            .getResultsList(),
                        count)));
  }

  /**
   * Adds an item for each reference. The results stand in the order of the entries; one that failed
   * has was_successful false and is no exception.
   *
   * @param serverHandle of register
   * @param tagAddresses references
   * @return a result for each
   */
  public CompletableFuture<List<SubscribeResult>> addItemBulk(
      int serverHandle, Collection<String> tagAddresses) {
    return subscribing(
        AddItemBulkCommand.newBuilder()
            .setServerHandle(serverHandle)
            .addAllTagAddresses(checked("tag_addresses", tagAddresses))
            .addAllClientHandles(options.numbersOf(tagAddresses.size()))
            .build(),
        "add_item_bulk",
        tagAddresses.size(),
        MxCommandReply::hasAddItemBulk,
        MxCommandReply::getAddItemBulk);
  }

  /**
   * Adds and advises an item for each reference. The results stand in the order of the entries; one
   * that failed has was_successful false and is no exception.
   *
   * @param serverHandle of register
   * @param tagAddresses references
   * @return a result for each
   */
  public CompletableFuture<List<SubscribeResult>> subscribeBulk(
      int serverHandle, Collection<String> tagAddresses) {
    return subscribing(
        SubscribeBulkCommand.newBuilder()
            .setServerHandle(serverHandle)
            .addAllTagAddresses(checked("tag_addresses", tagAddresses))
            .addAllClientHandles(options.numbersOf(tagAddresses.size()))
            .build(),
        "subscribe_bulk",
        tagAddresses.size(),
        MxCommandReply::hasSubscribeBulk,
        MxCommandReply::getSubscribeBulk);
  }

  /**
   * Advises each item. The results stand in the order of the entries; one that failed has
   * was_successful false and is no exception.
   *
   * @param serverHandle of register
   * @param itemHandles of addItem
   * @return a result for each
   */
  public CompletableFuture<List<SubscribeResult>> adviseItemBulk(
      int serverHandle, Collection<Integer> itemHandles) {
    return subscribing(
        AdviseItemBulkCommand.newBuilder()
            .setServerHandle(serverHandle)
            .addAllItemHandles(checked("item_handles", itemHandles))
            .build(),
        "advise_item_bulk",
        itemHandles.size(),
        MxCommandReply::hasAdviseItemBulk,
        MxCommandReply::getAdviseItemBulk);
  }

  /**
   * Un-advises each item; the items stay. The results stand in the order of the entries; one that
   * failed has was_successful false and is no exception.
   *
   * @param serverHandle of register
   * @param itemHandles of addItem
   * @return a result for each
   */
  public CompletableFuture<List<SubscribeResult>> unadviseItemBulk(
      int serverHandle, Collection<Integer> itemHandles) {
    return subscribing(
        UnAdviseItemBulkCommand.newBuilder()
            .setServerHandle(serverHandle)
            .addAllItemHandles(checked("item_handles", itemHandles))
            .build(),
        "un_advise_item_bulk",
        itemHandles.size(),
        MxCommandReply::hasUnAdviseItemBulk,
        MxCommandReply::getUnAdviseItemBulk);
  }

  /**
   * Removes each item. The results stand in the order of the entries; one that failed has
   * was_successful false and is no exception.
   *
   * @param serverHandle of register
   * @param itemHandles of addItem
   * @return a result for each
   */
  public CompletableFuture<List<SubscribeResult>> removeItemBulk(
      int serverHandle, Collection<Integer> itemHandles) {
    return subscribing(
        RemoveItemBulkCommand.newBuilder()
            .setServerHandle(serverHandle)
            .addAllItemHandles(checked("item_handles", itemHandles))
            .build(),
        "remove_item_bulk",
        itemHandles.size(),
        MxCommandReply::hasRemoveItemBulk,
        MxCommandReply::getRemoveItemBulk);
  }

  /**
   * Un-advises and removes each item. The results stand in the order of the entries; one that
   * failed has was_successful false and is no exception.
   *
   * @param serverHandle of register
   * @param itemHandles of addItem
   * @return a result for each
   */
  public CompletableFuture<List<SubscribeResult>> unsubscribeBulk(
      int serverHandle, Collection<Integer> itemHandles) {
    return subscribing(
        UnsubscribeBulkCommand.newBuilder()
            .setServerHandle(serverHandle)
            .addAllItemHandles(checked("item_handles", itemHandles))
            .build(),
        "unsubscribe_bulk",
        itemHandles.size(),
        MxCommandReply::hasUnsubscribeBulk,
        MxCommandReply::getUnsubscribeBulk);
  }

  /**
   * Reads each reference once. An advised tag answers from its last value (was_cached); others take
   * the time of a short subscription. The results stand in the order of the entries; one that
   * failed has was_successful false and is no exception.
   *
   * @param serverHandle of register
   * @param tagAddresses references
   * @param tagLimit how long each tag without a cached value may take, to the millisecond; zero for
   *     the worker's default
   * @return a result for each
   */
  public CompletableFuture<List<BulkReadResult>> readBulk(
      int serverHandle, Collection<String> tagAddresses, Duration tagLimit) {
    return reading(
        ReadBulkCommand.newBuilder()
            .setServerHandle(serverHandle)
            .addAllTagAddresses(checked("tag_addresses", tagAddresses))
            .setTimeoutMs(milliseconds(tagLimit))
            .build(),
        tagAddresses.size());
  }

  /**
   * Writes one value to each item. The results stand in the order of the entries; one that failed
   * has was_successful false and is no exception.
   *
   * @param serverHandle of register
   * @param entries what to write
   * @param userId user of the entries without one of their own
   * @return a result for each
   */
  public CompletableFuture<List<BulkWriteResult>> writeBulk(
      int serverHandle, Collection<WriteEntry> entries, int userId) {
    return writing(
        WriteBulkCommand.newBuilder()
            .setServerHandle(serverHandle)
            .addAllEntries(
                each(
                    entries,
                    entry ->
                        WriteBulkEntry.newBuilder()
                            .setItemHandle(entry.itemHandle())
                            .setValue(MxValues.of(entry.value()))
                            .setUserId(entry.userOr(userId))
                            .build()))
            .build(),
        "write_bulk",
        entries.size(),
        MxCommandReply::hasWriteBulk,
        MxCommandReply::getWriteBulk);
  }

  /**
   * Writes one value to each item, with source times. The results stand in the order of the
   * entries; one that failed has was_successful false and is no exception.
   *
   * @param serverHandle of register
   * @param entries what to write, each with its timestamp
   * @param userId user of the entries without one of their own
   * @return a result for each
   */
  public CompletableFuture<List<BulkWriteResult>> write2Bulk(
      int serverHandle, Collection<WriteEntry> entries, int userId) {
    return writing(
        Write2BulkCommand.newBuilder()
            .setServerHandle(serverHandle)
            .addAllEntries(
                each(
                    entries,
                    entry ->
                        Write2BulkEntry.newBuilder()
                            .setItemHandle(entry.itemHandle())
                            .setValue(MxValues.of(entry.value()))
                            .setTimestampValue(MxValues.ofTimestamp(entry.timestamp()))
                            .setUserId(entry.userOr(userId))
                            .build()))
            .build(),
        "write2_bulk",
        entries.size(),
        MxCommandReply::hasWrite2Bulk,
        MxCommandReply::getWrite2Bulk);
  }

  /**
   * Writes one value to each item in the name of one or two users. The results stand in the order
   * of the entries; one that failed has was_successful false and is no exception.
   *
   * @param serverHandle of register
   * @param entries what to write, and in whose name
   * @return a result for each
   */
  public CompletableFuture<List<BulkWriteResult>> writeSecuredBulk(
      int serverHandle, Collection<SecuredEntry> entries) {
    return writing(
        WriteSecuredBulkCommand.newBuilder()
            .setServerHandle(serverHandle)
            .addAllEntries(
                each(
                    entries,
                    entry ->
                        WriteSecuredBulkEntry.newBuilder()
                            .setItemHandle(entry.itemHandle())
                            .setCurrentUserId(entry.currentUserId())
                            .setVerifierUserId(entry.verifierUserId())
                            .setValue(MxValues.of(entry.value()))
                            .build()))
            .build(),
        "write_secured_bulk",
        entries.size(),
        MxCommandReply::hasWriteSecuredBulk,
        MxCommandReply::getWriteSecuredBulk);
  }

  /**
   * Writes one value to each item in the name of one or two users, with source times. The results
   * stand in the order of the entries; one that failed has was_successful false and is no
   * exception.
   *
   * @param serverHandle of register
   * @param entries what to write, in whose name, and with which timestamp
   * @return a result for each
   */
  public CompletableFuture<List<BulkWriteResult>> writeSecured2Bulk(
      int serverHandle, Collection<SecuredEntry> entries) {
    return writing(
        WriteSecured2BulkCommand.newBuilder()
            .setServerHandle(serverHandle)
            .addAllEntries(
                each(
                    entries,
                    entry ->
                        WriteSecured2BulkEntry.newBuilder()
                            .setItemHandle(entry.itemHandle())
                            .setCurrentUserId(entry.currentUserId())
                            .setVerifierUserId(entry.verifierUserId())
                            .setValue(MxValues.of(entry.value()))
                            .setTimestampValue(MxValues.ofTimestamp(entry.timestamp()))
                            .build()))
            .build(),
        "write_secured2_bulk",
        entries.size(),
        MxCommandReply::hasWriteSecured2Bulk,
        MxCommandReply::getWriteSecured2Bulk);
  }
}
