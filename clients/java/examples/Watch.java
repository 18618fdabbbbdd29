import io.mxgateway.client.DataChange;
import io.mxgateway.client.GatewayClient;
import io.mxgateway.client.Subscription;
import java.nio.file.Path;
import java.util.List;

/** Prints five changes of a tag, over any interruption: Watch ENDPOINT CA_FILE [TAG]. */
public class Watch {
  public static void main(String[] arguments) {
    String tag = arguments.length > 2 ? arguments[2] : "TestMachine_001.TestChangingInt";
    try (GatewayClient client =
            GatewayClient.builder(arguments[0])
                .apiKey(System.getenv("MXGATEWAY_API_KEY"))
                .caFile(Path.of(arguments[1]))
                .connect();
        Subscription subscription = client.subscribe(List.of(tag))) {
      for (int count = 0; count < 5; count++) {
        DataChange change = subscription.next();
        System.out.println(change.tag() + " " + change.value() + " " + change.isGood());
      }
    }
  }
}
