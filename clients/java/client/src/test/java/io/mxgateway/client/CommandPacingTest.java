package io.mxgateway.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** Commands behind two unanswered messages wait for a reply, and not for long. */
class CommandPacingTest {
  private final CommandPacing pacing = new CommandPacing();

  @Test
  void aLoneCommandNeverWaits() {
    for (int number = 1; number < 5; number++) {
      assertFalse(pacing.holds(0));
      assertEquals(number, pacing.send(0));
      pacing.answer(number);
    }
  }

  @Test
  void behindTwoUnansweredMessagesCommandsWaitForAReply() {
    pacing.send(0);
    assertFalse(pacing.holds(1));
    pacing.send(1);
    assertTrue(pacing.holds(2));
    pacing.answer(1);
    assertFalse(pacing.holds(1));
    pacing.send(1);
    assertTrue(pacing.holds(2));
    // A reply to the third message says that the second is not waited for either.
    pacing.answer(3);
    pacing.send(1);
    assertFalse(pacing.holds(2));
  }

  @Test
  void behindSlowOnesACommandWaitsNotForLong() {
    pacing.send(0);
    pacing.send(1);
    long due = pacing.hold(1_000);
    assertEquals(1_000 + CommandPacing.LONGEST_HOLD_NANOS, due);
    // Those that come later wait with the first.
    assertEquals(due, pacing.hold(5_000));
    assertFalse(pacing.isOverdue(due - 1));
    assertTrue(pacing.holds(2));
    assertTrue(pacing.isHolding());
    assertTrue(pacing.isOverdue(due));
    assertFalse(pacing.holds(2));
    assertFalse(pacing.isHolding());
    pacing.send(2);
    assertTrue(pacing.holds(3));
    // Nobody is held, so nobody is overdue.
    assertFalse(pacing.isOverdue(due + CommandPacing.LONGEST_HOLD_NANOS));
  }

  @Test
  void whatNobodyWaitsForAnyMoreHoldsNoOthers() {
    pacing.send(0);
    pacing.send(1);
    assertFalse(pacing.holds(0));
    pacing.send(0);
    assertFalse(pacing.holds(1));
  }
}
