export { createRowBuilder } from "./row-builder.ts";
export type { RowBuilder, RowBuilderOptions, RowReject } from "./row-builder.ts";
