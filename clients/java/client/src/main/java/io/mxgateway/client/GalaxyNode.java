package io.mxgateway.client;

import io.mxgateway.proto.galaxy.GalaxyObject;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One object of a tree that is read as it is looked into. */
public final class GalaxyNode {
  private final GalaxyClient galaxy;
  private final HierarchyFilter filter;
  private final GalaxyObject object;
  private final boolean hasChildrenHint;
  private @Nullable CallFuture<List<GalaxyNode>> expanding;
  private @Nullable List<GalaxyNode> children;

  GalaxyNode(
      GalaxyClient galaxy, HierarchyFilter filter, GalaxyObject object, boolean hasChildrenHint) {
    this.galaxy = galaxy;
    this.filter = filter;
    this.object = object;
    this.hasChildrenHint = hasChildrenHint;
  }

  /**
   * What the gateway tells of it.
   *
   * @return the message as it came
   */
  public GalaxyObject object() {
    return object;
  }

  /**
   * Its name in the tree.
   *
   * @return the browse name, or the tag name where it has none
   */
  public String name() {
    return object.getBrowseName().isEmpty() ? object.getTagName() : object.getBrowseName();
  }

  /**
   * Whether it had children when its level was read.
   *
   * @return true when it had
   */
  public boolean hasChildrenHint() {
    return hasChildrenHint;
  }

  /**
   * Whether the children were read.
   *
   * @return true from then on
   */
  public synchronized boolean isExpanded() {
    return children != null;
  }

  /**
   * Those that expand has read.
   *
   * @return the children; none before
   */
  public synchronized List<GalaxyNode> children() {
    return children == null ? List.of() : children;
  }

  /**
   * Reads the children, once: concurrent calls share one request, and a failure may be tried again.
   *
   * @return the children, areas first
   * @throws MxGatewayException the call failed
   */
  public List<GalaxyNode> expand() {
    CallFuture<List<GalaxyNode>> mine = new CallFuture<>();
    CallFuture<List<GalaxyNode>> shared;
    synchronized (this) {
      if (children != null) {
        return children;
      }
      shared = expanding;
      if (shared == null) {
        expanding = mine;
      }
    }
    if (shared != null) {
      CallFuture<List<GalaxyNode>> waiting = shared.map(found -> found);
      waiting.onCancel(() -> {});
      return waiting.await();
    }
    try {
      List<GalaxyNode> found = galaxy.browse(filter.below(object.getGobjectId()));
      synchronized (this) {
        children = found;
        expanding = null;
      }
      mine.complete(found);
      return found;
    } catch (RuntimeException failure) {
      synchronized (this) {
        expanding = null;
      }
      mine.completeExceptionally(failure);
      throw failure;
    }
  }

  @Override
  public String toString() {
    return name();
  }
}
