import type { ErrorSpec } from "./spec.ts";

export const catalogErrors = {} as const satisfies Record<string, ErrorSpec<never>>;
