import type { ErrorSpec } from "./spec.ts";

export const pluginErrors = {} as const satisfies Record<string, ErrorSpec<never>>;
