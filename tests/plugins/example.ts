import { int64, table, type AnyPlugin } from "../../lib/kit/mod.ts";
import * as v from "valibot";

export const numbers = table("numbers", { n: int64() }, { primaryKey: ["n"] });

/** A valid plugin, with any part replaced. */
export function plugin(parts: Partial<Record<keyof AnyPlugin, unknown>> = {}): AnyPlugin {
  return {
    name: "numbers",
    version: "1.0.0",
    description: "The first whole numbers",
    capabilities: ["discover"],
    options: v.strictObject({}),
    secrets: {},
    connect: () => ({ discover: async () => [numbers] }),
    ...parts,
  } as AnyPlugin;
}
