package io.mxgateway.client;

import io.mxgateway.proto.ArchestrAUserToIdCommand;
import io.mxgateway.proto.AuthenticateUserCommand;
import io.mxgateway.proto.MxCommandReply;
import io.mxgateway.proto.Write2Command;
import io.mxgateway.proto.WriteCommand;
import io.mxgateway.proto.WriteSecured2Command;
import io.mxgateway.proto.WriteSecuredCommand;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/** Writes by handle, and users, without waiting. */
public abstract sealed class AsyncWriteCommands extends AsyncItemCommands
    permits AsyncBulkCommands {

  AsyncWriteCommands(SessionCore core, CallOptions options, @Nullable Executor executor) {
    super(core, options, executor);
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
   * @return completes when the gateway has answered
   */
  public CompletableFuture<Void> write(
      int serverHandle, int itemHandle, @Nullable Object value, int userId) {
    return plain(
        WriteCommand.newBuilder()
            .setServerHandle(serverHandle)
            .setItemHandle(itemHandle)
            .setValue(MxValues.of(value))
            .setUserId(userId)
            .build());
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
   * @return completes when the gateway has answered
   */
  public CompletableFuture<Void> write2(
      int serverHandle, int itemHandle, @Nullable Object value, Object timestamp, int userId) {
    return plain(
        Write2Command.newBuilder()
            .setServerHandle(serverHandle)
            .setItemHandle(itemHandle)
            .setValue(MxValues.of(value))
            .setTimestampValue(MxValues.ofTimestamp(timestamp))
            .setUserId(userId)
            .build());
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
   * @return completes when the gateway has answered
   */
  public CompletableFuture<Void> writeSecured(
      int serverHandle,
      int itemHandle,
      int currentUserId,
      int verifierUserId,
      @Nullable Object value) {
    return plain(
        WriteSecuredCommand.newBuilder()
            .setServerHandle(serverHandle)
            .setItemHandle(itemHandle)
            .setCurrentUserId(currentUserId)
            .setVerifierUserId(verifierUserId)
            .setValue(MxValues.of(value))
            .build());
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
   * @return completes when the gateway has answered
   */
  public CompletableFuture<Void> writeSecured2(
      int serverHandle,
      int itemHandle,
      int currentUserId,
      int verifierUserId,
      @Nullable Object value,
      Object timestamp) {
    return plain(
        WriteSecured2Command.newBuilder()
            .setServerHandle(serverHandle)
            .setItemHandle(itemHandle)
            .setCurrentUserId(currentUserId)
            .setVerifierUserId(verifierUserId)
            .setValue(MxValues.of(value))
            .setTimestampValue(MxValues.ofTimestamp(timestamp))
            .build());
  }

  /**
   * Checks a user's credentials.
   *
   * @param serverHandle of register
   * @param user for example the operator's account
   * @param password never part of any text
   * @return the user id for writes; it belongs to this server handle
   */
  public CompletableFuture<Integer> authenticateUser(
      int serverHandle, String user, String password) {
    return payload(
        AuthenticateUserCommand.newBuilder()
            .setServerHandle(serverHandle)
            .setVerifyUser(user)
            .setVerifyUserPassword(password)
            .build(),
        "authenticate_user",
        MxCommandReply::hasAuthenticateUser,
        reply -> reply.getAuthenticateUser().getUserId());
  }

  /**
   * The user id of an ArchestrA user, without a password.
   *
   * @param serverHandle of register
   * @param guid of the ArchestrA user
   * @return the user id
   */
  public CompletableFuture<Integer> archestraUserToId(int serverHandle, String guid) {
    return payload(
        ArchestrAUserToIdCommand.newBuilder()
            .setServerHandle(serverHandle)
            .setUserIdGuid(guid)
            .build(),
        "archestra_user_to_id",
        MxCommandReply::hasArchestraUserToId,
        reply -> reply.getArchestraUserToId().getUserId());
  }
}
