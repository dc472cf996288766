import { AgnesError, formatValue, toExposedName } from "../../base/mod.ts";
import type { Capability } from "../../kit/mod.ts";
import { scaffoldCapabilities, scaffoldParts, type ScaffoldCapability } from "./parts.ts";

const NAME = /^[a-z][a-z0-9_-]{0,63}$/;

/** The test runner of a new plugin. The contract runs in any runner. */
const RUNNER = "bun:test";

/** The name and capabilities of a new plugin. */
export interface ScaffoldRequest {
  readonly name: string;
  readonly capabilities: readonly Capability[];
}

/**
 * Returns the files of a new plugin by path relative to the workspace: the plugin with a small example, its test and a
 * README.
 *
 * The plugin passes its contract suites unchanged; comments mark the parts to replace.
 *
 * @throws `scaffold_invalid`
 */
export function scaffoldPlugin(request: ScaffoldRequest): Readonly<Record<string, string>> {
  const { name } = request;
  if (!NAME.test(name)) {
    const rule = "lower-case letters, digits, dashes and underscores, a letter first, at most 64";
    throw new AgnesError("scaffold_invalid", {
      reason: `${formatValue(name)} is not a valid plugin name: ${rule}`,
    });
  }
  const offered: readonly Capability[] = scaffoldCapabilities;
  const unknown = request.capabilities.find((capability) => !offered.includes(capability));
  if (unknown !== undefined) {
    const reason = `a new plugin cannot have the capability ${formatValue(unknown)}; it can have ${offered.join(", ")}`;
    throw new AgnesError("scaffold_invalid", { reason });
  }
  if (request.capabilities.length === 0) {
    throw new AgnesError("scaffold_invalid", { reason: "a plugin needs at least one capability" });
  }
  const wanted = scaffoldCapabilities.filter((capability) => request.capabilities.includes(capability));
  return {
    [`plugins/${name}/plugin.ts`]: pluginText(name, wanted),
    [`plugins/${name}/plugin.test.ts`]: testText(wanted),
    [`plugins/${name}/README.md`]: readmeText(name, wanted),
  };
}

function pluginText(name: string, wanted: readonly ScaffoldCapability[]): string {
  const parts = wanted.map((capability) => scaffoldParts[capability]);
  const imports = [...new Set(["definePlugin", ...parts.flatMap((part) => part.imports)])].sort(byName);
  const context = [...new Set(parts.flatMap((part) => part.context))];
  const needsRows = parts.some((part) => part.needsRows);
  const methods = parts
    .map((part) => part.methods)
    .join("")
    .replaceAll("ALIAS_NAME", toExposedName(name))
    .replaceAll("PLUGIN_NAME", name);
  return `import { ${imports.join(", ")} } from "agnes/kit";
import * as v from "valibot";
${needsRows ? exampleText : ""}
export default definePlugin({
  name: "${name}",
  version: "0.1.0",
  description: "The ${name} source",
  capabilities: [${wanted.map((capability) => `"${capability}"`).join(", ")}],
  // The schema of \`options:\` in agnes.yaml. Replace: the options of your source.
  options: v.strictObject({
    url: v.optional(
      v.pipe(v.string(), v.url(), v.description("Base URL of the API")),
      "https://api.example.com",
    ),
  }),
  // Secrets come from environment variables and cannot be logged.
  secrets: {},
  connect(${context.length === 0 ? "" : `{ ${context.join(", ")} }`}) {
    // Replace: use \`options\`, \`secrets\` and \`http\` of the context to create a client, such as
    // const api = http.with({ baseUrl: options.url, bearer: secrets.MY_TOKEN, requestsPerSecond: 10 });
${needsRows ? "    const people = [...examplePeople];\n" : ""}    return {${methods}
      // Checks that the source is reachable. Replace: one cheap request.
      async health() {
        return { ok: true, message: "the example is always available" };
      },
    };
  },
});
`;
}

const exampleText = `
type Person = {
  readonly id: number | bigint;
  readonly name: string;
  /** A timestamp: ISO 8601 text, or milliseconds since 1970. */
  readonly updated_at: string | number;
};

/** Replace: the rows come from an API, a database or a folder. */
const examplePeople: readonly Person[] = [
  { id: 1, name: "Ada Lovelace", updated_at: "2026-01-01T09:00:00Z" },
  { id: 2, name: "Grace Hopper", updated_at: "2026-01-02T10:30:00Z" },
  { id: 3, name: "Mary Somerville", updated_at: "2026-01-03T12:00:00Z" },
];
`;

function testText(wanted: readonly ScaffoldCapability[]): string {
  const settings: string[] = [];
  const needsTables = wanted.includes("read") && !wanted.includes("discover");
  if (needsTables) settings.push("tables: [people]");
  if (wanted.includes("query")) settings.push('query: "SELECT * FROM people"');
  return `${needsTables ? 'import { int64, table, timestamp, utf8 } from "agnes/kit";\n' : ""}import { connectorContract } from "agnes/testing";
import { test } from "${RUNNER}";

import plugin from "./plugin.ts";
${needsTables ? tablesText : ""}
const cases = connectorContract(plugin, ${configText(["options: {}", ...settings])});
for (const { name, run } of cases) test(name, run, 120_000);
`;
}

function configText(settings: readonly string[]): string {
  return settings.length < 3
    ? `{ ${settings.join(", ")} }`
    : `{\n${settings.map((setting) => `  ${setting},\n`).join("")}}`;
}

const tablesText = `
// The plugin does not list its tables, so the suite needs their descriptions.
const people = table(
  "people",
  { id: int64({ nullable: false }), name: utf8(), updated_at: timestamp({ nullable: false }) },
  { primaryKey: ["id"], cursor: "updated_at" },
);
`;

function readmeText(name: string, wanted: readonly ScaffoldCapability[]): string {
  const isBlind = wanted.includes("read") && !wanted.includes("discover");
  return `# ${name}

A connector for Agnes: ${wanted.join(", ")}.

- \`plugin.ts\` is the whole plugin. ${exampleNote(name, wanted)}; comments mark the parts to replace.
- \`agnes connector test ${name}${isBlind ? " --table people" : ""}\` runs its contract suites, as does \`bun test plugins/${name}\` in a project with the
  package \`agnes\`.
- To use it, add to \`agnes.yaml\`:

  \`\`\`yaml
  sources:
    ${toExposedName(name)}: { plugin: ${name} }
  \`\`\`
${wanted.includes("discover") ? "" : registerText(name, wanted)}`;
}

/** Describes the unchanged plugin. */
function exampleNote(name: string, wanted: readonly ScaffoldCapability[]): string {
  const attached = `\`remote()\` names \`${name}.duckdb\` in the workspace, which you provide`;
  if (wanted.every((capability) => capability === "remote")) return `Its ${attached}`;
  const example = "It serves a small example, so it works unchanged";
  return wanted.includes("remote") ? `${example}; its ${attached}` : example;
}

/** Describes how to register the tables of a plugin that cannot list them. */
function registerText(name: string, wanted: readonly ScaffoldCapability[]): string {
  const source = toExposedName(name);
  const commands = [
    ...(wanted.includes("read") ? [`agnes table register ${source} people --primary-key id`] : []),
    ...(wanted.includes("query")
      ? [
          `agnes table register ${source} --name names --mode materialized --source-query "SELECT name FROM people"`,
        ]
      : []),
    ...(wanted.includes("remote") ? [`agnes table register ${source} people --mode remote`] : []),
  ];
  if (commands.length === 0) return "";
  return `
It does not list its tables, so register each one. Its columns are inferred from the first rows:

\`\`\`sh
${commands[0]}
\`\`\`
`;
}

function byName(a: string, b: string): number {
  const [left, right] = [a.replace("type ", ""), b.replace("type ", "")];
  return left < right ? -1 : 1;
}
