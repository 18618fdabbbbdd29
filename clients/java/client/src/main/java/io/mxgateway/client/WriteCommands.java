package io.mxgateway.client;

import org.jspecify.annotations.Nullable;

/** Writes by handle, and users. */
public abstract sealed class WriteCommands extends ItemCommands permits BulkCommands {

  WriteCommands() {}

  /**
   * {@link #write(int, int, Object, int)} without a user.
   *
   * @param serverHandle of register
   * @param itemHandle of addItem
   * @param value see {@link MxValues#of}
   * @throws MxGatewayException the call failed
   */
  public void write(int serverHandle, int itemHandle, @Nullable Object value) {
    write(serverHandle, itemHandle, value, 0);
  }

  /**
   * Writes a value. It returns as soon as MXAccess took it: the outcome comes as OnWriteComplete.
   * The item has to be advised and its first OnDataChange seen. A write is never repeated by the
   * library, and cancelling the call does not take it back.
   *
   * @param serverHandle of register
   * @param itemHandle of addItem
   * @param value see {@link MxValues#of}
   * @param userId of authenticateUser; 0 is no user
   * @throws MxGatewayException the call failed
   */
  public void write(int serverHandle, int itemHandle, @Nullable Object value, int userId) {
    await(async().write(serverHandle, itemHandle, value, userId));
  }

  /**
   * Writes a value with a source time of its own. A write is never repeated by the library, and
   * cancelling the call does not take it back.
   *
   * @param serverHandle of register
   * @param itemHandle of addItem
   * @param value see {@link MxValues#of}
   * @param timestamp an Instant, another time with a zone, or an MxValue to send as it is
   * @param userId of authenticateUser; 0 is no user
   * @throws MxGatewayException the call failed
   */
  public void write2(
      int serverHandle, int itemHandle, @Nullable Object value, Object timestamp, int userId) {
    await(async().write2(serverHandle, itemHandle, value, timestamp, userId));
  }

  /**
   * Writes in the name of one or two authenticated users. A write is never repeated by the library,
   * and cancelling the call does not take it back.
   *
   * @param serverHandle of register
   * @param itemHandle of addItem
   * @param currentUserId the operator, of authenticateUser
   * @param verifierUserId the verifier; the operator again where one signature is enough
   * @param value see {@link MxValues#of}
   * @throws MxGatewayException the call failed
   */
  public void writeSecured(
      int serverHandle,
      int itemHandle,
      int currentUserId,
      int verifierUserId,
      @Nullable Object value) {
    await(async().writeSecured(serverHandle, itemHandle, currentUserId, verifierUserId, value));
  }

  /**
   * Writes in the name of one or two authenticated users, with a source time of its own. A write is
   * never repeated by the library, and cancelling the call does not take it back.
   *
   * @param serverHandle of register
   * @param itemHandle of addItem
   * @param currentUserId the operator, of authenticateUser
   * @param verifierUserId the verifier; the operator again where one signature is enough
   * @param value see {@link MxValues#of}
   * @param timestamp an Instant, another time with a zone, or an MxValue to send as it is
   * @throws MxGatewayException the call failed
   */
  public void writeSecured2(
      int serverHandle,
      int itemHandle,
      int currentUserId,
      int verifierUserId,
      @Nullable Object value,
      Object timestamp) {
    await(
        async()
            .writeSecured2(
                serverHandle, itemHandle, currentUserId, verifierUserId, value, timestamp));
  }

  /**
   * Checks a user's credentials.
   *
   * @param serverHandle of register
   * @param user for example the operator's account
   * @param password never part of any text
   * @return the user id for writes; it belongs to this server handle
   * @throws MxGatewayException the call failed
   */
  public int authenticateUser(int serverHandle, String user, String password) {
    return await(async().authenticateUser(serverHandle, user, password));
  }

  /**
   * The user id of an ArchestrA user, without a password.
   *
   * @param serverHandle of register
   * @param guid of the ArchestrA user
   * @return the user id
   * @throws MxGatewayException the call failed
   */
  public int archestraUserToId(int serverHandle, String guid) {
    return await(async().archestraUserToId(serverHandle, guid));
  }
}
