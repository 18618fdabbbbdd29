package io.mxgateway.client;

import io.mxgateway.proto.MxStatusProxy;
import java.util.concurrent.CompletableFuture;

/** Registrations and items. */
public abstract sealed class ItemCommands permits WriteCommands {

  ItemCommands() {}

  /** The same commands without waiting, their outcomes told at once. */
  abstract AsyncSession async();

  static <T> T await(CompletableFuture<T> outcome) {
    return ((CallFuture<T>) outcome).await();
  }

  /**
   * Registers a client with MXAccess.
   *
   * @param clientName name of this client for MXAccess
   * @return the server handle that all other calls need
   * @throws MxGatewayException the call failed
   */
  public int register(String clientName) {
    return await(async().register(clientName));
  }

  /**
   * Ends a registration. Un-advise and remove its items first.
   *
   * @param serverHandle of register
   * @throws MxGatewayException the call failed
   */
  public void unregister(int serverHandle) {
    await(async().unregister(serverHandle));
  }

  /**
   * Adds an item. MXAccess takes any text: whether the reference exists shows only after advise, by
   * the status of its first OnDataChange.
   *
   * @param serverHandle of register
   * @param item reference, for example TestMachine_001.TestChangingInt
   * @return the item handle
   * @throws MxGatewayException the call failed
   */
  public int addItem(int serverHandle, String item) {
    return await(async().addItem(serverHandle, item));
  }

  /**
   * Adds an item by a reference that may start with Me, MyContainer, MyArea and so on.
   *
   * @param serverHandle of register
   * @param item reference, for example TestMachine_001.TestChangingInt
   * @param itemContext object that the reference starts from
   * @return the item handle
   * @throws MxGatewayException the call failed
   */
  public int addItem2(int serverHandle, String item, String itemContext) {
    return await(async().addItem2(serverHandle, item, itemContext));
  }

  /**
   * Adds an item whose values come in OnBufferedDataChange events.
   *
   * @param serverHandle of register
   * @param item reference, for example TestMachine_001.TestChangingInt
   * @param itemContext object that the reference starts from
   * @return the item handle
   * @throws MxGatewayException the call failed
   */
  public int addBufferedItem(int serverHandle, String item, String itemContext) {
    return await(async().addBufferedItem(serverHandle, item, itemContext));
  }

  /**
   * Removes an item. Wait for its pending OnWriteComplete first, and un-advise it.
   *
   * @param serverHandle of register
   * @param itemHandle of addItem
   * @throws MxGatewayException the call failed
   */
  public void removeItem(int serverHandle, int itemHandle) {
    await(async().removeItem(serverHandle, itemHandle));
  }

  /**
   * Subscribes to an item's changes: the current value comes at once, as OnDataChange.
   *
   * @param serverHandle of register
   * @param itemHandle of addItem
   * @throws MxGatewayException the call failed
   */
  public void advise(int serverHandle, int itemHandle) {
    await(async().advise(serverHandle, itemHandle));
  }

  /**
   * Subscribes on a supervisory connection: no user is needed, and writes to secured attributes
   * pass.
   *
   * @param serverHandle of register
   * @param itemHandle of addItem
   * @throws MxGatewayException the call failed
   */
  public void adviseSupervisory(int serverHandle, int itemHandle) {
    await(async().adviseSupervisory(serverHandle, itemHandle));
  }

  /**
   * Ends a subscription (UnAdvise). Events that were under way may still arrive afterwards.
   *
   * @param serverHandle of register
   * @param itemHandle of addItem
   * @throws MxGatewayException the call failed
   */
  public void unadvise(int serverHandle, int itemHandle) {
    await(async().unadvise(serverHandle, itemHandle));
  }

  /**
   * Suspends an advised item.
   *
   * @param serverHandle of register
   * @param itemHandle of addItem
   * @return the call's status; OperationComplete tells the outcome
   * @throws MxGatewayException the call failed
   */
  public MxStatusProxy suspend(int serverHandle, int itemHandle) {
    return await(async().suspend(serverHandle, itemHandle));
  }

  /**
   * Resumes a suspended item; its current value is sent again.
   *
   * @param serverHandle of register
   * @param itemHandle of addItem
   * @return the call's status
   * @throws MxGatewayException the call failed
   */
  public MxStatusProxy activate(int serverHandle, int itemHandle) {
    return await(async().activate(serverHandle, itemHandle));
  }

  /**
   * Sets how often buffered items deliver.
   *
   * @param serverHandle of register
   * @param milliseconds MXAccess rounds up to a multiple of 100
   * @throws MxGatewayException the call failed
   */
  public void setBufferedUpdateInterval(int serverHandle, int milliseconds) {
    await(async().setBufferedUpdateInterval(serverHandle, milliseconds));
  }
}
