import type { ErrorSpec } from "./spec.ts";

export const queryErrors = {} as const satisfies Record<string, ErrorSpec<never>>;
