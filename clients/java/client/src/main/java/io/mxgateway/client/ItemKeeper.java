package io.mxgateway.client;

import io.mxgateway.proto.BulkReadResult;
import io.mxgateway.proto.SubscribeResult;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The commands that keep the items of a session equal to the tags that are wanted. */
final class ItemKeeper {
  private static final Logger LOGGER = LoggerFactory.getLogger(ItemKeeper.class);

  private final Object lock;
  private final WantedItems items;
  private final boolean isSupervisory;

  ItemKeeper(Object lock, WantedItems items, boolean isSupervisory) {
    this.lock = lock;
    this.items = items;
    this.isSupervisory = isSupervisory;
  }

  /** One way to bring tags into the session. */
  private interface Adder {
    void add(Session session, List<String> tags);
  }

  /**
   * Carries out what is wanted in the session, again and again, while somebody else reads the
   * events, until this thread is interrupted.
   *
   * @param onProgress called with the lock held, when further items have become known, and when all
   *     is done that was wanted
   */
  void keep(Session session, Runnable onProgress) throws InterruptedException {
    synchronized (lock) {
      // What was asked for while there was no connection, and what was left half done.
      items.wake();
    }
    while (true) {
      int asked;
      boolean isFirst;
      synchronized (lock) {
        while (!items.takeWork()) {
          lock.wait();
        }
        asked = items.asked();
        isFirst = items.takeEmpty();
      }
      removeUnwanted(session);
      List<String> missing;
      synchronized (lock) {
        missing = items.missing();
      }
      Adder adder = isFirst && !isSupervisory ? this::subscribe : this::add;
      List<List<String>> chunks = chunks(missing, session);
      for (int index = 0; index < chunks.size(); index++) {
        inParts(session, adder, chunks.get(index));
        if (index + 1 < chunks.size()) {
          synchronized (lock) {
            onProgress.run();
          }
        }
      }
      synchronized (lock) {
        items.doneWith(asked);
        onProgress.run();
      }
    }
  }

  /** Finds out by halving whose fault it is when a call is refused as a whole. */
  private void inParts(Session session, Adder adder, List<String> tags) {
    try {
      adder.add(session, tags);
    } catch (CommandException refused) {
      if (ReconnectRules.isTransient(refused)) {
        throw refused;
      }
      if (tags.size() > 1) {
        int half = tags.size() / 2;
        inParts(session, adder, tags.subList(0, half));
        inParts(session, adder, tags.subList(half, tags.size()));
        return;
      }
      synchronized (lock) {
        items.refuse(tags.get(0), refused.getMessage());
      }
    }
  }

  /** Adds and advises in one call; a first value may come before its reply. */
  private void subscribe(Session session, List<String> tags) {
    List<Integer> numbers;
    synchronized (lock) {
      numbers = items.numbered(tags);
      items.naming();
    }
    List<SubscribeResult> results;
    try {
      results =
          session
              .with(CallOptions.clientHandles(numbers))
              .subscribeBulk(items.serverHandle(), tags);
    } catch (RuntimeException failure) {
      synchronized (lock) {
        items.lostNames(numbers);
        items.named();
        lock.notifyAll();
      }
      throw failure;
    }
    synchronized (lock) {
      List<Integer> handles = items.take(tags, numbers, results);
      for (int index = 0; index < tags.size(); index++) {
        if (handles.get(index) != null) {
          items.advised(tags.get(index), handles.get(index));
        }
      }
      items.named();
      lock.notifyAll();
    }
  }

  /** Adds and then advises, so that each item is known before its first value. */
  private void add(Session session, List<String> tags) {
    List<Integer> numbers;
    synchronized (lock) {
      numbers = items.numbered(tags);
    }
    List<Integer> handles;
    try {
      List<SubscribeResult> added =
          session.with(CallOptions.clientHandles(numbers)).addItemBulk(items.serverHandle(), tags);
      synchronized (lock) {
        handles = items.take(tags, numbers, added).stream().filter(Objects::nonNull).toList();
      }
    } catch (RuntimeException failure) {
      synchronized (lock) {
        items.forget(numbers);
      }
      throw failure;
    }
    Map<Integer, String> refusals;
    try {
      refusals = advise(session, handles);
    } catch (RuntimeException failure) {
      synchronized (lock) {
        // Whether they are advised is unknown: they go, and others come in their place.
        handles.forEach(items::discard);
      }
      throw failure;
    }
    synchronized (lock) {
      for (int handle : handles) {
        String tag = items.tagOf(handle);
        String reason = refusals.get(handle);
        if (tag != null && reason != null) {
          items.discard(handle);
          items.refuse(tag, reason);
        } else if (tag != null) {
          items.advised(tag, handle);
        }
      }
    }
  }

  /** Advises items; those that were refused, with the reason. */
  private Map<Integer, String> advise(Session session, List<Integer> handles) {
    Map<Integer, String> refusals = new LinkedHashMap<>();
    if (isSupervisory) {
      for (int handle : handles) {
        try {
          session.adviseSupervisory(items.serverHandle(), handle);
        } catch (MxAccessException refused) {
          refusals.put(handle, refused.getMessage());
        }
      }
    } else if (!handles.isEmpty()) {
      List<SubscribeResult> results = session.adviseItemBulk(items.serverHandle(), handles);
      for (int index = 0; index < handles.size(); index++) {
        if (!results.get(index).getWasSuccessful()) {
          refusals.put(handles.get(index), results.get(index).getErrorMessage());
        }
      }
    }
    return refusals;
  }

  private void removeUnwanted(Session session) {
    List<Integer> handles;
    synchronized (lock) {
      handles = items.unwanted();
    }
    for (List<Integer> chunk : chunks(handles, session)) {
      try {
        List<SubscribeResult> results = session.unsubscribeBulk(items.serverHandle(), chunk);
        List<Integer> left = new ArrayList<>();
        for (int index = 0; index < chunk.size(); index++) {
          // An item that is not advised is not removed by that.
          if (!results.get(index).getWasSuccessful()) {
            left.add(chunk.get(index));
          }
        }
        if (!left.isEmpty()) {
          session.removeItemBulk(items.serverHandle(), left);
        }
      } catch (CommandException refused) {
        if (ReconnectRules.isTransient(refused)) {
          throw refused;
        }
        LOGGER.info("items of a subscription could not be removed: {}", refused.getMessage());
      }
      synchronized (lock) {
        items.removed(chunk);
      }
    }
  }

  /** What the tags are now, by tag; those of a call that is under way are among them. */
  Map<String, BulkReadResult> readAll(Session session) throws InterruptedException {
    List<String> tags;
    synchronized (lock) {
      while (items.isNaming()) {
        lock.wait();
      }
      tags = items.advised();
    }
    Map<String, BulkReadResult> found = new LinkedHashMap<>();
    for (List<String> chunk : chunks(tags, session)) {
      List<BulkReadResult> results = session.readBulk(items.serverHandle(), chunk);
      for (int index = 0; index < chunk.size(); index++) {
        found.put(chunk.get(index), results.get(index));
      }
    }
    return found;
  }

  /** Un-advises and removes the items, and unregisters. */
  void removeAll(Session session) {
    synchronized (lock) {
      items.unwantAll();
    }
    removeUnwanted(session);
    session.unregister(items.serverHandle());
  }

  private static <T> List<List<T>> chunks(List<T> entries, Session session) {
    int size = session.core().maxBulk();
    List<List<T>> chunks = new ArrayList<>();
    for (int start = 0; start < entries.size(); start += size) {
      chunks.add(entries.subList(start, Math.min(start + size, entries.size())));
    }
    return chunks;
  }
}
