import io.mxgateway.client.GatewayClient;
import io.mxgateway.client.MxQuality;
import io.mxgateway.client.MxValues;
import io.mxgateway.client.Session;
import java.nio.file.Path;
import java.util.List;

public class Read {
  public static void main(String[] arguments) {
    try (GatewayClient client =
            GatewayClient.builder(arguments[0])
                .apiKey(System.getenv("MXGATEWAY_API_KEY"))
                .caFile(Path.of(arguments[1]))
                .connect();
        Session session = client.openSession()) {
      int handle = session.register("example");
      var result = session.readBulk(handle, List.of("TestMachine_001.TestChangingInt")).get(0);
      System.out.println(
          MxValues.toJava(result.getValue()) + " " + MxQuality.name(result.getQuality()));
    }
  }
}
