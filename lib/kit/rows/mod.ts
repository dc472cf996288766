export { parseInstant } from "./instant.ts";
export type { Instant } from "./instant.ts";
export { createRowBuilder } from "./row-builder.ts";
export type { RowBuilder, RowBuilderOptions, RowReject } from "./row-builder.ts";
