/** HTTP for connectors. */
export interface Http {
  readonly todo: never;
}
