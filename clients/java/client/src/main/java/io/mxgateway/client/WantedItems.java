package io.mxgateway.client;

import io.mxgateway.proto.MxEvent;
import io.mxgateway.proto.SubscribeResult;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** What a subscription wants, and what is there. Guarded by the subscription's lock. */
final class WantedItems {
  private final Set<String> tags = new LinkedHashSet<>();
  private final Map<String, String> failures = new LinkedHashMap<>();

  /** Known from AddItem on, because a first value may come before Advise is answered. */
  private final Map<Integer, String> tagOf = new HashMap<>();

  private final Map<String, Integer> advised = new HashMap<>();
  private final Set<Integer> unwanted = new TreeSet<>();

  /**
   * Where the gateway echoes numbers of ours, each item that is added has one of its own, never
   * used again: its events are known before the reply is there, and those of an item that had the
   * handle before are not its own.
   */
  private final Map<Integer, String> tagByNumber = new HashMap<>();

  private final Map<Integer, Integer> numberOf = new HashMap<>();
  private int nextNumber = 1;
  private boolean isNumbering;
  private boolean isRegistered;
  private int serverHandle;

  /** Whether no tag was subscribed in this session yet: then one call adds and advises. */
  private boolean isEmpty = true;

  /** While a reply is under way that names new items which may already send. */
  private boolean isNaming;

  /** Whether such a reply was lost: its items are there, and nobody knows their handles. */
  private boolean mayHaveOrphans;

  private int asked;
  private int done;
  private boolean hasWork;

  WantedItems(Collection<String> wanted) {
    tags.addAll(wanted);
  }

  List<String> tags() {
    return List.copyOf(tags);
  }

  int count() {
    return tags.size();
  }

  Map<String, String> failures() {
    return failures;
  }

  boolean isWanted(String tag) {
    return tags.contains(tag);
  }

  boolean isComplete() {
    return done == asked;
  }

  boolean isDone(int number) {
    return done >= number;
  }

  boolean isNaming() {
    return isNaming;
  }

  boolean isRegistered() {
    return isRegistered;
  }

  int serverHandle() {
    return serverHandle;
  }

  /** The tags whose changes come. */
  List<String> advised() {
    return tags.stream().filter(advised::containsKey).toList();
  }

  /** A session that has nothing of this yet. */
  void begin(int handle, boolean takesNumbers) {
    serverHandle = handle;
    isRegistered = true;
    isEmpty = true;
    mayHaveOrphans = false;
    isNumbering = takesNumbers;
    tagOf.clear();
    tagByNumber.clear();
    numberOf.clear();
    advised.clear();
    unwanted.clear();
    failures.clear();
    done = -1;
  }

  // --------------------------------------------------------------------------------- wishes

  /** Wants further tags; one that was refused is tried again. The number is for isDone. */
  int want(Collection<String> more) {
    more.forEach(failures::remove);
    tags.addAll(more);
    return ask();
  }

  /** Wants these tags no more: from now on no event belongs to them. The number is for isDone. */
  int unwant(Set<String> gone) {
    tags.removeAll(gone);
    failures.keySet().removeAll(gone);
    advised.keySet().removeAll(gone);
    List<Integer> handles = new ArrayList<>();
    tagOf.forEach(
        (handle, tag) -> {
          if (gone.contains(tag)) {
            handles.add(handle);
          }
        });
    handles.forEach(this::discard);
    tagByNumber.values().removeAll(gone);
    return ask();
  }

  private int ask() {
    hasWork = true;
    return ++asked;
  }

  void wake() {
    hasWork = true;
  }

  /** Whether there is something to do; taken by the one who does it. */
  boolean takeWork() {
    boolean had = hasWork;
    hasWork = false;
    return had;
  }

  int asked() {
    return asked;
  }

  void doneWith(int number) {
    done = number;
  }

  /** Whether this is the session's first call, which may add and advise at once. */
  boolean takeEmpty() {
    boolean was = isEmpty;
    isEmpty = false;
    return was;
  }

  List<String> missing() {
    return tags.stream()
        .filter(tag -> !advised.containsKey(tag) && !failures.containsKey(tag))
        .toList();
  }

  List<Integer> unwanted() {
    return List.copyOf(unwanted);
  }

  void removed(Collection<Integer> handles) {
    unwanted.removeAll(handles);
  }

  void unwantAll() {
    unwanted.addAll(tagOf.keySet());
  }

  // --------------------------------------------------------------------------------- naming

  /** A new number for each tag, where the gateway takes them. */
  List<Integer> numbered(List<String> names) {
    List<Integer> numbers = new ArrayList<>();
    if (isNumbering) {
      for (String tag : names) {
        tagByNumber.put(nextNumber, tag);
        numbers.add(nextNumber++);
      }
    }
    return numbers;
  }

  void naming() {
    isNaming = true;
  }

  void named() {
    isNaming = false;
  }

  /** The reply that names items was lost. */
  void lostNames(List<Integer> numbers) {
    mayHaveOrphans = true;
    forget(numbers);
  }

  void forget(List<Integer> numbers) {
    numbers.forEach(tagByNumber::remove);
  }

  /** Notes new items; their handles, null for a tag that was refused or is wanted no more. */
  List<@Nullable Integer> take(
      List<String> names, List<Integer> numbers, List<SubscribeResult> results) {
    List<@Nullable Integer> handles = new ArrayList<>();
    for (int index = 0; index < names.size(); index++) {
      int number = numbers.isEmpty() ? 0 : numbers.get(index);
      handles.add(take(names.get(index), number, results.get(index)));
    }
    return handles;
  }

  private @Nullable Integer take(String tag, int number, SubscribeResult result) {
    if (!result.getWasSuccessful()) {
      tagByNumber.remove(number);
      refuse(tag, result.getErrorMessage());
      return null;
    }
    int handle = result.getItemHandle();
    if (!tags.contains(tag)) {
      discard(handle);
      return null;
    }
    tagOf.put(handle, tag);
    if (number != 0) {
      // It may have been unwanted and wanted again meanwhile.
      tagByNumber.put(number, tag);
      numberOf.put(handle, number);
    }
    return handle;
  }

  void advised(String tag, int handle) {
    advised.put(tag, handle);
  }

  @Nullable String tagOf(int handle) {
    return tagOf.get(handle);
  }

  void refuse(String tag, String reason) {
    if (tags.contains(tag)) {
      failures.put(tag, reason.isEmpty() ? "refused" : reason);
    }
  }

  void discard(int handle) {
    tagOf.remove(handle);
    Integer number = numberOf.remove(handle);
    if (number != null) {
      tagByNumber.remove(number);
    }
    unwanted.add(handle);
    hasWork = true;
  }

  // --------------------------------------------------------------------------------- events

  /** The wanted tag that an event belongs to; null for none. */
  @Nullable String tagOf(MxEvent event) {
    if (event.getServerHandle() != serverHandle) {
      return null;
    }
    return event.getClientHandle() != 0
        ? tagByNumber.get(event.getClientHandle())
        : tagOf.get(event.getItemHandle());
  }

  /**
   * Whether an item without a tag is to be named by a reply that is under way. One that nobody will
   * name goes.
   */
  boolean mayComeToKnow(MxEvent event) {
    int handle = event.getItemHandle();
    if (event.getServerHandle() != serverHandle || unwanted.contains(handle)) {
      return false;
    }
    if (isNaming) {
      return true;
    }
    if (mayHaveOrphans && !tagOf.containsKey(handle)) {
      discard(handle);
    }
    return false;
  }
}
