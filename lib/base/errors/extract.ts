import type { ErrorSpec } from "./spec.ts";

export const extractErrors = {} as const satisfies Record<string, ErrorSpec<never>>;
