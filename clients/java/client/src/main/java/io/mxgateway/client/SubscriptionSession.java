package io.mxgateway.client;

/** Where a subscription gets its session from. */
sealed interface SubscriptionSession {
  Connection connection();

  /** The session for a start, or in place of one that was lost. */
  Session open();

  /** Whether the subscription opened it, and so opens another one and closes it. */
  boolean isOwned();

  /** The caller's session. */
  record Shared(Session session) implements SubscriptionSession {
    @Override
    public Connection connection() {
      return session.core().connection;
    }

    @Override
    public Session open() {
      return session;
    }

    @Override
    public boolean isOwned() {
      return false;
    }
  }

  /** A session of the subscription's own. */
  record Owned(GatewayClient client, SubscriptionOptions options) implements SubscriptionSession {
    @Override
    public Connection connection() {
      return client.connection();
    }

    @Override
    public Session open() {
      return client.openSession(options.session);
    }

    @Override
    public boolean isOwned() {
      return true;
    }
  }
}
