import type { ErrorSpec } from "./spec.ts";

export const analyticsErrors = {} as const satisfies Record<string, ErrorSpec<never>>;
