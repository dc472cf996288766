import { bundledPlugins } from "../../cmd/plugins.ts";
import { markdownTable, page } from "./markdown.ts";
import { schemaRows } from "./schema.ts";

/** `docs/reference/plugins.md`. */
export async function pluginsPage(): Promise<string> {
  const plugins = await bundledPlugins();
  return page(
    "Plugins",
    "What the executable brings along. A team's own plugins lie in `plugins/` beside `agnes.yaml`.",
    ...plugins
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map((plugin) => {
        const options = schemaRows(plugin.options);
        const fields = plugin.sourceQuery === undefined ? [] : schemaRows(plugin.sourceQuery);
        const secrets = Object.entries(plugin.secrets);
        return [
          `## \`${plugin.name}\``,
          plugin.description,
          `Capabilities: ${plugin.capabilities.map((name) => `\`${name}\``).join(", ") || "none"}.`,
          ...(plugin.errors === undefined
            ? []
            : [
                `Errors: ${Object.values(plugin.errors)
                  .map(({ code }) => `[\`${code}\`](errors.md)`)
                  .join(", ")}.`,
              ]),
          ...(options.length === 0
            ? []
            : [markdownTable(["option", "type", "default", "description"], options)]),
          ...(plugin.sourceQuery === undefined
            ? []
            : [
                "`source_query` of a materialized table is JSON with `where_filters`, `columns`, `limit` and these fields:",
                markdownTable(["field", "type", "default", "description"], fields),
              ]),
          ...(secrets.length === 0
            ? []
            : [
                markdownTable(
                  ["secret", "required", "description"],
                  secrets.map(([name, spec]) => [
                    `\`${name}\``,
                    spec.required === true ? "yes" : "no",
                    spec.description,
                  ]),
                ),
              ]),
        ].join("\n\n");
      }),
  );
}
