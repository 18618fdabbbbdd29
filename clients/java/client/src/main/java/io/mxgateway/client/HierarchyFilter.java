package io.mxgateway.client;

import com.google.protobuf.Int32Value;
import io.mxgateway.proto.galaxy.AttributeOrigin;
import io.mxgateway.proto.galaxy.BrowseChildrenRequest;
import io.mxgateway.proto.galaxy.DiscoverHierarchyRequest;
import java.util.Collection;

/** Chooses objects and attributes of a Galaxy; everything by default. */
public final class HierarchyFilter {
  private final DiscoverHierarchyRequest request;

  /** Everything. */
  public HierarchyFilter() {
    this(DiscoverHierarchyRequest.newBuilder().setIncludeAttributes(true).build());
  }

  private HierarchyFilter(DiscoverHierarchyRequest request) {
    this.request = request;
  }

  private static HierarchyFilter of(DiscoverHierarchyRequest.Builder changed) {
    return new HierarchyFilter(changed.build());
  }

  private DiscoverHierarchyRequest.Builder changed() {
    return request.toBuilder();
  }

  private DiscoverHierarchyRequest.Builder rooted() {
    if (request.getRootCase() != DiscoverHierarchyRequest.RootCase.ROOT_NOT_SET) {
      throw new IllegalArgumentException(
          "give one of root, rootId and rootPath (root, root_contained_path)");
    }
    return changed();
  }

  /**
   * Starts at an object, or browses its children.
   *
   * @param tagName of the object
   * @return the narrower filter
   */
  public HierarchyFilter root(String tagName) {
    return of(rooted().setRootTagName(tagName));
  }

  /**
   * Starts at an object, or browses its children.
   *
   * @param gobjectId its number
   * @return the narrower filter
   */
  public HierarchyFilter rootId(int gobjectId) {
    return of(rooted().setRootGobjectId(gobjectId));
  }

  /**
   * Starts at an object, or browses its children.
   *
   * @param containedPath its browse names joined by /
   * @return the narrower filter
   */
  public HierarchyFilter rootPath(String containedPath) {
    return of(rooted().setRootContainedPath(containedPath));
  }

  /** The same choice below another object. */
  HierarchyFilter below(int gobjectId) {
    return of(changed().clearRoot().setRootGobjectId(gobjectId));
  }

  /**
   * How many levels below the root.
   *
   * @param levels 0 for the root alone
   * @return the narrower filter
   */
  public HierarchyFilter maxDepth(int levels) {
    return of(changed().setMaxDepth(Int32Value.of(levels)));
  }

  /**
   * Objects of these categories.
   *
   * @param ids of the categories
   * @return the narrower filter
   */
  public HierarchyFilter categories(Collection<Integer> ids) {
    return of(changed().addAllCategoryIds(ids));
  }

  /**
   * Objects that have one of these templates in their chain.
   *
   * @param templates names of templates
   * @return the narrower filter
   */
  public HierarchyFilter templates(Collection<String> templates) {
    return of(changed().addAllTemplateChainContains(templates));
  }

  /**
   * Objects whose tag name fits.
   *
   * @param glob with * and ?, without case
   * @return the narrower filter
   */
  public HierarchyFilter tagNameGlob(String glob) {
    return of(changed().setTagNameGlob(glob));
  }

  /**
   * Leaves the attributes out.
   *
   * @return the narrower filter
   */
  public HierarchyFilter withoutAttributes() {
    return of(changed().setIncludeAttributes(false));
  }

  /**
   * Objects with alarms only.
   *
   * @return the narrower filter
   */
  public HierarchyFilter alarmBearingOnly() {
    return of(changed().setAlarmBearingOnly(true));
  }

  /**
   * Objects with historized attributes only.
   *
   * @return the narrower filter
   */
  public HierarchyFilter historizedOnly() {
    return of(changed().setHistorizedOnly(true));
  }

  /**
   * Attributes of these origins.
   *
   * @param origins of attributes
   * @return the narrower filter
   */
  public HierarchyFilter origins(Collection<AttributeOrigin> origins) {
    return of(changed().addAllAttributeOrigins(origins));
  }

  /**
   * With the ancestors of what fits.
   *
   * @return the wider filter
   */
  public HierarchyFilter withAncestors() {
    return of(changed().setIncludeAncestors(true));
  }

  /**
   * How many objects travel at once.
   *
   * @param objects 0 for the gateway's choice
   * @return the same filter in pages
   */
  public HierarchyFilter pageSize(int objects) {
    return of(changed().setPageSize(objects));
  }

  DiscoverHierarchyRequest discover() {
    return request;
  }

  BrowseChildrenRequest.Builder browse() {
    BrowseChildrenRequest.Builder browse =
        BrowseChildrenRequest.newBuilder()
            .setPageSize(request.getPageSize())
            .addAllCategoryIds(request.getCategoryIdsList())
            .addAllTemplateChainContains(request.getTemplateChainContainsList())
            .setTagNameGlob(request.getTagNameGlob())
            .setIncludeAttributes(request.getIncludeAttributes())
            .setAlarmBearingOnly(request.getAlarmBearingOnly())
            .setHistorizedOnly(request.getHistorizedOnly())
            .addAllAttributeOrigins(request.getAttributeOriginsList())
            .setIncludeAncestors(request.getIncludeAncestors());
    switch (request.getRootCase()) {
      case ROOT_TAG_NAME -> browse.setParentTagName(request.getRootTagName());
      case ROOT_CONTAINED_PATH -> browse.setParentContainedPath(request.getRootContainedPath());
      case ROOT_GOBJECT_ID -> browse.setParentGobjectId(request.getRootGobjectId());
      case ROOT_NOT_SET -> {}
    }
    return browse;
  }
}
