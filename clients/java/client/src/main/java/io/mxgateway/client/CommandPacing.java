package io.mxgateway.client;

import java.util.concurrent.TimeUnit;

/**
 * Decides whether commands go at once or wait for a reply, so that they travel together where many
 * are under way. A lone command never waits. Its owner guards it.
 */
final class CommandPacing {
  /**
   * How many messages of commands may be under way before what comes waits for a reply. A message
   * costs the gateway what twenty commands do, and the worker runs its commands one after the other
   * anyway: two keep it at work.
   */
  static final int UNANSWERED_MESSAGES = 2;

  /** How long a command waits for that at most: those before it may be slow ones. */
  static final long LONGEST_HOLD_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

  private long sent;
  private long answered;
  private boolean isHolding;
  private boolean isOverdue;

  /** When the oldest command that waits for a reply began to. */
  private long heldAt;

  /** Whether commands have to wait. */
  boolean holds(int inWindow) {
    return inWindow > 0 && !isOverdue && sent - answered >= UNANSWERED_MESSAGES;
  }

  /** Notes that a command waits; until when it does at most. */
  long hold(long now) {
    if (!isHolding) {
      isHolding = true;
      heldAt = now;
    }
    return heldAt + LONGEST_HOLD_NANOS;
  }

  /** Notes a message of commands and returns its number; before it so many were under way. */
  long send(int inWindow) {
    if (inWindow == 0) {
      // Those before it were answered, or nobody waits for them any more.
      answered = sent;
    }
    isHolding = false;
    isOverdue = false;
    return ++sent;
  }

  /**
   * Notes a reply to a command of this message. One is enough: what runs long need not be first.
   */
  void answer(long message) {
    answered = Math.max(answered, message);
  }

  /** Notes that time has passed: whether what waits is not held any more. */
  boolean isOverdue(long now) {
    isOverdue |= isHolding && now - heldAt >= LONGEST_HOLD_NANOS;
    return isOverdue;
  }

  /** Whether a command waits for a reply. */
  boolean isHolding() {
    return isHolding && !isOverdue;
  }
}
