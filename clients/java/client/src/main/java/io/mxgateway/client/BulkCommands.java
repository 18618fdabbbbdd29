package io.mxgateway.client;

import io.mxgateway.proto.BulkReadResult;
import io.mxgateway.proto.BulkWriteResult;
import io.mxgateway.proto.SubscribeResult;
import java.time.Duration;
import java.util.Collection;
import java.util.List;

/** Many items in one call. */
public abstract sealed class BulkCommands extends WriteCommands permits Session {

  BulkCommands() {}

  /**
   * {@link #readBulk(int, Collection, Duration)} with the worker's default limit.
   *
   * @param serverHandle of register
   * @param tagAddresses references
   * @return a result for each
   * @throws MxGatewayException the call failed
   */
  public List<BulkReadResult> readBulk(int serverHandle, Collection<String> tagAddresses) {
    return readBulk(serverHandle, tagAddresses, Duration.ZERO);
  }

  /**
   * Adds an item for each reference. The results stand in the order of the entries; one that failed
   * has was_successful false and is no exception.
   *
   * @param serverHandle of register
   * @param tagAddresses references
   * @return a result for each
   * @throws MxGatewayException the call failed
   */
  public List<SubscribeResult> addItemBulk(int serverHandle, Collection<String> tagAddresses) {
    return await(async().addItemBulk(serverHandle, tagAddresses));
  }

  /**
   * Adds and advises an item for each reference. The results stand in the order of the entries; one
   * that failed has was_successful false and is no exception.
   *
   * @param serverHandle of register
   * @param tagAddresses references
   * @return a result for each
   * @throws MxGatewayException the call failed
   */
  public List<SubscribeResult> subscribeBulk(int serverHandle, Collection<String> tagAddresses) {
    return await(async().subscribeBulk(serverHandle, tagAddresses));
  }

  /**
   * Advises each item. The results stand in the order of the entries; one that failed has
   * was_successful false and is no exception.
   *
   * @param serverHandle of register
   * @param itemHandles of addItem
   * @return a result for each
   * @throws MxGatewayException the call failed
   */
  public List<SubscribeResult> adviseItemBulk(int serverHandle, Collection<Integer> itemHandles) {
    return await(async().adviseItemBulk(serverHandle, itemHandles));
  }

  /**
   * Un-advises each item; the items stay. The results stand in the order of the entries; one that
   * failed has was_successful false and is no exception.
   *
   * @param serverHandle of register
   * @param itemHandles of addItem
   * @return a result for each
   * @throws MxGatewayException the call failed
   */
  public List<SubscribeResult> unadviseItemBulk(int serverHandle, Collection<Integer> itemHandles) {
    return await(async().unadviseItemBulk(serverHandle, itemHandles));
  }

  /**
   * Removes each item. The results stand in the order of the entries; one that failed has
   * was_successful false and is no exception.
   *
   * @param serverHandle of register
   * @param itemHandles of addItem
   * @return a result for each
   * @throws MxGatewayException the call failed
   */
  public List<SubscribeResult> removeItemBulk(int serverHandle, Collection<Integer> itemHandles) {
    return await(async().removeItemBulk(serverHandle, itemHandles));
  }

  /**
   * Un-advises and removes each item. The results stand in the order of the entries; one that
   * failed has was_successful false and is no exception.
   *
   * @param serverHandle of register
   * @param itemHandles of addItem
   * @return a result for each
   * @throws MxGatewayException the call failed
   */
  public List<SubscribeResult> unsubscribeBulk(int serverHandle, Collection<Integer> itemHandles) {
    return await(async().unsubscribeBulk(serverHandle, itemHandles));
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
   * @throws MxGatewayException the call failed
   */
  public List<BulkReadResult> readBulk(
      int serverHandle, Collection<String> tagAddresses, Duration tagLimit) {
    return await(async().readBulk(serverHandle, tagAddresses, tagLimit));
  }

  /**
   * Writes one value to each item. The results stand in the order of the entries; one that failed
   * has was_successful false and is no exception.
   *
   * @param serverHandle of register
   * @param entries what to write
   * @param userId user of the entries without one of their own
   * @return a result for each
   * @throws MxGatewayException the call failed
   */
  public List<BulkWriteResult> writeBulk(
      int serverHandle, Collection<WriteEntry> entries, int userId) {
    return await(async().writeBulk(serverHandle, entries, userId));
  }

  /**
   * Writes one value to each item, with source times. The results stand in the order of the
   * entries; one that failed has was_successful false and is no exception.
   *
   * @param serverHandle of register
   * @param entries what to write, each with its timestamp
   * @param userId user of the entries without one of their own
   * @return a result for each
   * @throws MxGatewayException the call failed
   */
  public List<BulkWriteResult> write2Bulk(
      int serverHandle, Collection<WriteEntry> entries, int userId) {
    return await(async().write2Bulk(serverHandle, entries, userId));
  }

  /**
   * Writes one value to each item in the name of one or two users. The results stand in the order
   * of the entries; one that failed has was_successful false and is no exception.
   *
   * @param serverHandle of register
   * @param entries what to write, and in whose name
   * @return a result for each
   * @throws MxGatewayException the call failed
   */
  public List<BulkWriteResult> writeSecuredBulk(
      int serverHandle, Collection<SecuredEntry> entries) {
    return await(async().writeSecuredBulk(serverHandle, entries));
  }

  /**
   * Writes one value to each item in the name of one or two users, with source times. The results
   * stand in the order of the entries; one that failed has was_successful false and is no
   * exception.
   *
   * @param serverHandle of register
   * @param entries what to write, in whose name, and with which timestamp
   * @return a result for each
   * @throws MxGatewayException the call failed
   */
  public List<BulkWriteResult> writeSecured2Bulk(
      int serverHandle, Collection<SecuredEntry> entries) {
    return await(async().writeSecured2Bulk(serverHandle, entries));
  }
}
