/** Enums of protobuf are open: any number may come. */

/** The name of an enum's value; undefined for a number that this client does not know. */
export function nameOf(names: Readonly<Record<number, string | undefined>>, value: number): string | undefined {
  return names[value];
}
