import io.mxgateway.client.GatewayClient;
import io.mxgateway.client.MxValues;
import io.mxgateway.client.Session;
import io.mxgateway.client.WriteOutcome;
import java.nio.file.Path;

/** Writes a tag and waits for its confirmation: Write ENDPOINT CA_FILE NUMBER [TAG]. */
public class Write {
  public static void main(String[] arguments) {
    String tag = arguments.length > 3 ? arguments[3] : "TestChildObject.TestInt";
    try (GatewayClient client =
            GatewayClient.builder(arguments[0])
                .apiKey(System.getenv("MXGATEWAY_API_KEY"))
                .caFile(Path.of(arguments[1]))
                .connect();
        Session session = client.openSession()) {
      WriteOutcome outcome = session.writeAndConfirm(tag, Integer.parseInt(arguments[2]));
      System.out.println(
          outcome.tag()
              + " "
              + MxValues.toJava(outcome.before().getValue())
              + " -> "
              + MxValues.toJava(outcome.value()));
    }
  }
}
