import type { AnyPlugin } from "../lib/kit/mod.ts";

/** The built-in plugins. */
export async function bundledPlugins(): Promise<readonly AnyPlugin[]> {
  const modules = await Promise.all([
    import("../plugins/files/plugin.ts"),
    import("../plugins/duckdb/plugin.ts"),
    import("../plugins/azure-tables/plugin.ts"),
    import("../plugins/keboola/plugin.ts"),
    import("../plugins/bigquery/plugin.ts"),
    import("../plugins/program/plugin.ts"),
  ]);
  return modules.map((module) => module.default);
}
