package io.mxgateway.client;

import com.google.protobuf.MessageLite;
import com.google.protobuf.Timestamp;
import io.grpc.MethodDescriptor;
import io.mxgateway.proto.galaxy.BrowseChildrenReply;
import io.mxgateway.proto.galaxy.BrowseChildrenRequest;
import io.mxgateway.proto.galaxy.DeployEvent;
import io.mxgateway.proto.galaxy.DiscoverHierarchyReply;
import io.mxgateway.proto.galaxy.DiscoverHierarchyRequest;
import io.mxgateway.proto.galaxy.GalaxyObject;
import io.mxgateway.proto.galaxy.GetLastDeployTimeReply;
import io.mxgateway.proto.galaxy.GetLastDeployTimeRequest;
import io.mxgateway.proto.galaxy.TestConnectionReply;
import io.mxgateway.proto.galaxy.TestConnectionRequest;
import io.mxgateway.proto.galaxy.WatchDeployEventsRequest;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Reads the deployed objects of a Galaxy through a gateway. */
public final class GalaxyClient implements AutoCloseable {
  private final Connection connection;

  GalaxyClient(Connection connection) {
    this.connection = connection;
  }

  /**
   * Says how a gateway is reached.
   *
   * @param endpoint {@code host:port} or {@code [v6]:port}
   * @return connect it
   */
  public static ConnectionBuilder<GalaxyClient> builder(String endpoint) {
    return new ConnectionBuilder<>(endpoint, GalaxyClient::new);
  }

  private <Q extends MessageLite, R> R call(MethodDescriptor<Q, R> method, Q request) {
    return connection
        .unary(new Connection.Unary<>(method, errors(method), true, null), request)
        .await();
  }

  private static RpcErrors errors(MethodDescriptor<?, ?> method) {
    return RpcErrors.of(String.valueOf(method.getBareMethodName()), "").galaxy();
  }

  /**
   * Whether the gateway reaches the Galaxy database now.
   *
   * @return true when it does
   */
  public boolean testConnection() {
    TestConnectionReply reply =
        call(Methods.TEST_CONNECTION, TestConnectionRequest.getDefaultInstance());
    return reply.getOk();
  }

  /**
   * When the Galaxy was last deployed.
   *
   * @return the time, empty when it never was
   */
  public Optional<Instant> lastDeployTime() {
    GetLastDeployTimeReply reply = lastDeployTimeRaw();
    return reply.getPresent()
        ? Optional.of(
            Instant.ofEpochSecond(
                reply.getTimeOfLastDeploy().getSeconds(), reply.getTimeOfLastDeploy().getNanos()))
        : Optional.empty();
  }

  /**
   * {@link #lastDeployTime()} with the generated message.
   *
   * @return the reply
   */
  public GetLastDeployTimeReply lastDeployTimeRaw() {
    return call(Methods.GET_LAST_DEPLOY_TIME, GetLastDeployTimeRequest.getDefaultInstance());
  }

  /**
   * The deployed objects, parents before children. The next page is asked for when the one before
   * is used up.
   *
   * @param filter chooses them
   * @return may be iterated any number of times; an iterator throws MxGatewayException
   */
  public Iterable<GalaxyObject> objects(HierarchyFilter filter) {
    return () -> new Pages(filter.discover());
  }

  /**
   * Collects {@link #objects}.
   *
   * @param filter chooses them
   * @return all of them
   */
  public List<GalaxyObject> discover(HierarchyFilter filter) {
    List<GalaxyObject> found = new ArrayList<>();
    objects(filter).forEach(found::add);
    return found;
  }

  /**
   * Reads the children of one object, areas first.
   *
   * @param filter its root is the parent; the Galaxy's own root where it names none
   * @return the children, to be looked into
   */
  public List<GalaxyNode> browse(HierarchyFilter filter) {
    BrowseChildrenRequest.Builder request = filter.browse();
    List<GalaxyNode> nodes = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    while (true) {
      BrowseChildrenReply reply = call(Methods.BROWSE_CHILDREN, request.build());
      for (int index = 0; index < reply.getChildrenCount(); index++) {
        boolean hint = index < reply.getChildHasChildrenCount() && reply.getChildHasChildren(index);
        nodes.add(new GalaxyNode(this, filter, reply.getChildren(index), hint));
      }
      String token = reply.getNextPageToken();
      if (token.isEmpty()) {
        return Collections.unmodifiableList(nodes);
      }
      checkNew(seen, "BrowseChildren", token);
      request.setPageToken(token);
    }
  }

  private static void checkNew(Set<String> seen, String rpc, String token) {
    if (!seen.add(token)) {
      throw Failure.of(
          ErrorKind.PROTOCOL,
          rpc + ": the gateway repeats the page token \"" + token + "\", so there would be no end");
    }
  }

  /**
   * Streams the current deployment at once, then each new one.
   *
   * @param lastSeen time of the last one that is known: the first is left out while it is still
   *     that one; null for none
   * @return the stream; close it
   */
  public MessageStream<DeployEvent> watchDeployEvents(@Nullable Instant lastSeen) {
    WatchDeployEventsRequest.Builder request = WatchDeployEventsRequest.newBuilder();
    if (lastSeen != null) {
      request.setLastSeenDeployTime(
          Timestamp.newBuilder()
              .setSeconds(lastSeen.getEpochSecond())
              .setNanos(lastSeen.getNano()));
    }
    var method = Methods.WATCH_DEPLOY_EVENTS;
    return MessageStream.open(connection, method, errors(method), null, 1, request.build());
  }

  /**
   * Where the connection stands now.
   *
   * @return the state
   */
  public ConnectionState connectionState() {
    return connection.state();
  }

  /** Ends all calls. Idempotent. */
  @Override
  public void close() {
    connection.close();
  }

  @Override
  public String toString() {
    return "Galaxy of " + connection.options.endpoint + ", " + connectionState();
  }

  /** The hierarchy, page by page. */
  private final class Pages implements Iterator<GalaxyObject> {
    private final DiscoverHierarchyRequest.Builder request;
    private final Set<String> seen = new HashSet<>();
    private Iterator<GalaxyObject> page = Collections.emptyIterator();
    private boolean isLast;

    Pages(DiscoverHierarchyRequest request) {
      this.request = request.toBuilder();
    }

    @Override
    public boolean hasNext() {
      while (!page.hasNext() && !isLast) {
        if (!request.getPageToken().isEmpty()) {
          checkNew(seen, "DiscoverHierarchy", request.getPageToken());
        }
        DiscoverHierarchyReply reply = call(Methods.DISCOVER_HIERARCHY, request.build());
        String token = reply.getNextPageToken();
        page = reply.getObjectsList().iterator();
        isLast = token.isEmpty();
        request.setPageToken(token);
      }
      return page.hasNext();
    }

    @Override
    public GalaxyObject next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      return page.next();
    }
  }
}
