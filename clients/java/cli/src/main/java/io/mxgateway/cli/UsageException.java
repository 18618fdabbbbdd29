package io.mxgateway.cli;

import org.jspecify.annotations.Nullable;

/** Wrong usage: exit code 2. */
final class UsageException extends RuntimeException {
  UsageException(String message) {
    this(message, null);
  }

  UsageException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
