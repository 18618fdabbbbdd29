package io.mxgateway.cli;

import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** The program mxgw-java. */
public final class Main {
  private static final long SAME_SIGNAL_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

  private Main() {}

  /**
   * Runs it.
   *
   * @param arguments of the command line
   */
  public static void main(String[] arguments) {
    PrintStream output =
        new PrintStream(
            new BufferedOutputStream(new FileOutputStream(FileDescriptor.out)),
            false,
            StandardCharsets.UTF_8);
    PrintStream errors = new PrintStream(System.err, true, StandardCharsets.UTF_8);
    BufferedReader input =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    Program program = new Program(input, output, errors, System::getenv);
    listen(program, Thread.currentThread());
    int code = program.execute(List.of(arguments));
    program.close();
    output.flush();
    Runtime.getRuntime().halt(output.checkError() && code == Program.DONE ? Program.FAILURE : code);
  }

  /**
   * The first signal interrupts the work, which ends in order; one within half a second is that
   * one.
   */
  private static void listen(Program program, Thread worker) {
    long[] first = {0};
    for (String name : List.of("INT", "TERM")) {
      Signals.handle(
          name,
          () -> {
            synchronized (first) {
              if (first[0] == 0) {
                first[0] = System.nanoTime();
                program.signal = name;
                worker.interrupt();
              } else if (System.nanoTime() - first[0] > SAME_SIGNAL_NANOS) {
                Runtime.getRuntime().halt(Program.INTERRUPTED);
              }
              if (program.isReading) {
                // Reading stdin knows no interrupt, and nothing is under way.
                program.output.flush();
                Runtime.getRuntime()
                    .halt(name.equals("TERM") ? Program.TERMINATED : Program.INTERRUPTED);
              }
            }
          });
    }
  }
}
