import type { ErrorSpec } from "./spec.ts";

export const duckdbErrors = {} as const satisfies Record<string, ErrorSpec<never>>;
