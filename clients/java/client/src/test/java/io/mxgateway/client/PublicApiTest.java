package io.mxgateway.client;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.lang.reflect.AccessibleObject;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Member;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Holds what the library offers. After a change that is meant: {@code mvn test -pl client
 * -Dtest=PublicApiTest -Dapi.update=true}
 */
class PublicApiTest {
  private static final Path GOLDEN = Path.of("src/test/resources/api.txt");

  /** What every JDK says alike. */
  private static final int KEPT =
      Modifier.PUBLIC | Modifier.PROTECTED | Modifier.STATIC | Modifier.ABSTRACT | Modifier.FINAL;

  @Test
  void thePublicApiIsAsItWas() throws Exception {
    List<String> is = new ArrayList<>();
    for (Class<?> each : publicClasses()) {
      is.addAll(described(each));
    }
    if (Boolean.getBoolean("api.update")) {
      Files.createDirectories(GOLDEN.getParent());
      Files.write(GOLDEN, is);
    }
    List<String> was = Files.readAllLines(GOLDEN);
    List<String> gone = new ArrayList<>(was);
    is.forEach(gone::remove);
    List<String> more = new ArrayList<>(is);
    was.forEach(more::remove);
    assertEquals(List.of(), gone, "gone from the public API");
    assertEquals(List.of(), more, "new in the public API");
    assertEquals(was, is, "the public API stands in another order");
  }

  private static List<Class<?>> publicClasses() throws IOException, URISyntaxException {
    String folder = GatewayClient.class.getPackageName().replace('.', '/');
    Path classes =
        Path.of(GatewayClient.class.getProtectionDomain().getCodeSource().getLocation().toURI())
            .resolve(folder);
    try (Stream<Path> files = Files.list(classes)) {
      List<Class<?>> found = new ArrayList<>();
      for (String name : files.map(file -> file.getFileName().toString()).sorted().toList()) {
        if (name.endsWith(".class") && !name.equals("package-info.class")) {
          Class<?> each = named(name.substring(0, name.length() - ".class".length()));
          if (isOffered(each)) {
            found.add(each);
          }
        }
      }
      return found;
    }
  }

  private static Class<?> named(String name) {
    try {
      return Class.forName(GatewayClient.class.getPackageName() + "." + name);
    } catch (ClassNotFoundException gone) {
      throw new IllegalStateException(gone);
    }
  }

  /** Whether a user may name the class, and those that it stands in. */
  private static boolean isOffered(Class<?> each) {
    for (Class<?> outer = each; outer != null; outer = outer.getEnclosingClass()) {
      if (!isOffered(outer.getModifiers()) || outer.isAnonymousClass() || outer.isSynthetic()) {
        return false;
      }
    }
    return true;
  }

  private static boolean isOffered(int modifiers) {
    return Modifier.isPublic(modifiers) || Modifier.isProtected(modifiers);
  }

  private static List<String> described(Class<?> each) {
    List<String> lines = new ArrayList<>();
    lines.add(
        Modifier.toString(each.getModifiers() & KEPT)
            + " "
            + kind(each)
            + " "
            + plain(each.getTypeName())
            + above(each));
    members(each.getDeclaredConstructors(), Constructor::toGenericString, lines);
    members(each.getDeclaredFields(), Field::toGenericString, lines);
    members(each.getDeclaredMethods(), Method::toGenericString, lines);
    return lines;
  }

  private static String kind(Class<?> each) {
    if (each.isRecord() || each.isEnum()) {
      return each.isRecord() ? "record" : "enum";
    }
    return each.isInterface() ? "interface" : "class";
  }

  private static String above(Class<?> each) {
    List<String> types = new ArrayList<>();
    if (each.getGenericSuperclass() != null && !each.isEnum() && !each.isRecord()) {
      types.add(plain(each.getGenericSuperclass().getTypeName()));
    }
    for (Type type : each.getGenericInterfaces()) {
      types.add(plain(type.getTypeName()));
    }
    return types.isEmpty() ? "" : " : " + String.join(", ", types);
  }

  private static <T extends AccessibleObject & Member> void members(
      T[] members, Function<T, String> text, List<String> lines) {
    TreeSet<String> sorted = new TreeSet<>();
    for (T member : members) {
      if (isOffered(member.getModifiers()) && !member.isSynthetic()) {
        sorted.add("  " + plain(text.apply(member)));
      }
    }
    lines.addAll(sorted);
  }

  /** Names without the packages that everybody knows. */
  private static String plain(String text) {
    return text.replaceAll("\\b(java\\.[a-z.]+|io\\.mxgateway\\.client)\\.(?=[A-Z])", "");
  }
}
