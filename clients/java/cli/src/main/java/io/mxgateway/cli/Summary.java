package io.mxgateway.cli;

import com.google.gson.JsonObject;
import java.util.Arrays;

/**
 * Percentiles in milliseconds, by linear interpolation, rounded to microseconds; 0 without samples.
 *
 * @param p50 median
 * @param p95 95th percentile
 * @param p99 99th percentile
 * @param max the greatest
 * @param mean of all
 */
public record Summary(double p50, double p95, double p99, double max, double mean) {
  /**
   * The summary of some samples.
   *
   * @param samples in milliseconds, in any order
   * @return the figures
   */
  public static Summary of(double[] samples) {
    if (samples.length == 0) {
      return new Summary(0, 0, 0, 0, 0);
    }
    double[] ordered = samples.clone();
    Arrays.sort(ordered);
    double sum = 0;
    for (double sample : ordered) {
      sum += sample;
    }
    return new Summary(
        at(ordered, 0.5),
        at(ordered, 0.95),
        at(ordered, 0.99),
        rounded(ordered[ordered.length - 1]),
        rounded(sum / ordered.length));
  }

  private static double at(double[] ordered, double share) {
    double position = (ordered.length - 1) * share;
    int low = (int) Math.floor(position);
    int high = Math.min(low + 1, ordered.length - 1);
    return rounded(ordered[low] + (ordered[high] - ordered[low]) * (position - low));
  }

  static double rounded(double number) {
    return Math.rint(number * 1000) / 1000;
  }

  /**
   * The figures as the documents have them.
   *
   * @return an object with a key for each
   */
  public JsonObject toJson() {
    JsonObject object = new JsonObject();
    object.addProperty("p50", p50);
    object.addProperty("p95", p95);
    object.addProperty("p99", p99);
    object.addProperty("max", max);
    object.addProperty("mean", mean);
    return object;
  }
}
