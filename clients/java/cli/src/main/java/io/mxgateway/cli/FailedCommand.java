package io.mxgateway.cli;

/**
 * A command that did not do what it should, though no call failed; without a text the result says
 * it.
 */
final class FailedCommand extends RuntimeException {
  FailedCommand(String message) {
    super(message);
  }

  static FailedCommand silent() {
    return new FailedCommand("");
  }
}
