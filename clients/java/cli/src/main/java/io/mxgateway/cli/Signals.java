package io.mxgateway.cli;

import java.lang.reflect.Proxy;

/**
 * Signals of the operating system. A shutdown hook cannot end a program with another exit code, and
 * the JDK's own handlers have no other name than this one, so they are looked up by it.
 */
final class Signals {
  private Signals() {}

  static void handle(String name, Runnable action) {
    try {
      Class<?> signal = Class.forName("sun.misc.Signal");
      Class<?> handler = Class.forName("sun.misc.SignalHandler");
      Object proxy =
          Proxy.newProxyInstance(
              Signals.class.getClassLoader(),
              new Class<?>[] {handler},
              (self, method, arguments) -> {
                if (method.getName().equals("handle")) {
                  action.run();
                }
                return null;
              });
      signal
          .getMethod("handle", signal, handler)
          .invoke(null, signal.getConstructor(String.class).newInstance(name), proxy);
    } catch (ReflectiveOperationException | RuntimeException unavailable) {
      // Without them Ctrl-C ends the program as any other.
      return;
    }
  }
}
