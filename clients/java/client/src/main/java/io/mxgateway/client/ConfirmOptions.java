package io.mxgateway.client;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** How a write is confirmed. */
public final class ConfirmOptions {
  int serverHandle;
  int userId;
  @Nullable Integer verifierId;
  boolean isSupervisory;
  Duration timeout = Duration.ofSeconds(15);

  /** The defaults: a registration of its own, no user, 15 s. */
  public ConfirmOptions() {}

  /**
   * Uses a server handle of register in place of one for this write alone.
   *
   * @param handle of register; 0 for one of its own
   * @return this
   */
  public ConfirmOptions serverHandle(int handle) {
    serverHandle = handle;
    return this;
  }

  /**
   * Writes in the name of a user.
   *
   * @param user of authenticateUser
   * @return this
   */
  public ConfirmOptions user(int user) {
    userId = user;
    return this;
  }

  /**
   * Makes it a secured write.
   *
   * @param verifier of authenticateUser, or the operator's again where one signature is enough
   * @return this
   */
  public ConfirmOptions verifier(int verifier) {
    verifierId = verifier;
    return this;
  }

  /**
   * Uses adviseSupervisory: secured attributes then take the write without a user.
   *
   * @return this
   */
  public ConfirmOptions supervisory() {
    isSupervisory = true;
    return this;
  }

  /**
   * Limits all of it; 15 s by default.
   *
   * @param limit positive
   * @return this
   */
  public ConfirmOptions timeout(Duration limit) {
    timeout = ConnectionOptions.positive("timeout", limit);
    return this;
  }
}
