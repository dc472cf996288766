import type { ErrorSpec } from "./spec.ts";

export const tablesErrors = {} as const satisfies Record<string, ErrorSpec<never>>;
