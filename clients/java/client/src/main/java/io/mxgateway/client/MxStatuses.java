package io.mxgateway.client;

import io.mxgateway.proto.MxStatusProxy;
import java.util.List;

/** Reads MXSTATUS_PROXY. */
public final class MxStatuses {
  private MxStatuses() {}

  /**
   * Whether a status says that the operation failed. A status that nobody filled says nothing;
   * pending and warning are no failures.
   *
   * @param status as it came
   * @return true for a failure
   */
  public static boolean isFailure(MxStatusProxy status) {
    return switch (status.getCategory()) {
      case MX_STATUS_CATEGORY_UNSPECIFIED -> false;
      case MX_STATUS_CATEGORY_UNKNOWN,
          MX_STATUS_CATEGORY_OK,
          MX_STATUS_CATEGORY_PENDING,
          MX_STATUS_CATEGORY_WARNING ->
          status.getSuccess() == 0;
      default -> true;
    };
  }

  /**
   * A status in words: category, detail number, and what the number means.
   *
   * @param status as it came
   * @return one line
   */
  public static String text(MxStatusProxy status) {
    String category = "?";
    if (status.getCategory() != io.mxgateway.proto.MxStatusCategory.UNRECOGNIZED) {
      category = status.getCategory().name().replaceFirst("MX_STATUS_CATEGORY_", "");
    }
    String meaning = status.getDiagnosticText();
    if (meaning.isEmpty()) {
      meaning = Tables.STATUS_DETAILS.getOrDefault(status.getDetail(), "");
    }
    String text = category + " detail " + status.getDetail();
    return meaning.isEmpty() ? text : text + " (" + meaning + ")";
  }

  static List<String> failures(List<MxStatusProxy> statuses) {
    return statuses.stream().filter(MxStatuses::isFailure).map(MxStatuses::text).toList();
  }
}
