/** The capabilities that a new plugin can have. `stream` and `write` are written by hand. */
export const scaffoldCapabilities = ["discover", "read", "remote", "query", "metadata"] as const;
/** One of `scaffoldCapabilities`. */
export type ScaffoldCapability = (typeof scaffoldCapabilities)[number];

/** The text that one capability adds to a new plugin. */
export interface ScaffoldPart {
  /** Names that it imports from `agnes/kit`; types begin with `type `. */
  readonly imports: readonly string[];
  /** Names that it uses from the context of `connect`. */
  readonly context: readonly string[];
  /** Whether it uses the example rows. */
  readonly needsRows: boolean;
  /** The methods of the connector, indented by six spaces. */
  readonly methods: string;
}

/** The text of the methods of each capability, which use the example rows. */
export const scaffoldParts: { readonly [C in ScaffoldCapability]: ScaffoldPart } = {
  discover: {
    imports: ["table", "int64", "timestamp", "utf8"],
    context: [],
    needsRows: false,
    methods: `
      // Lists the tables of the source. Replace: list the tables through the API of the source.
      async discover() {
        return [
          table(
            "people",
            { id: int64({ nullable: false }), name: utf8(), updated_at: timestamp({ nullable: false }) },
            { primaryKey: ["id"], cursor: "updated_at", description: "The people of the example" },
          ),
        ];
      },
`,
  },
  read: {
    imports: ["cursorDate", "permanent"],
    context: [],
    needsRows: true,
    methods: `
      // Reads a table in batches, with a cursor from its value on. Replace: request the rows page by page.
      // Agnes applies columns and filters that the source does not support to the rows that you yield.
      // \`cursor\` is set after: agnes table update SOURCE.people --strategy incremental
      async *read(table, { cursor, batchRows, signal }) {
        if (table.name !== "people") throw permanent(\`the table \${table.name} does not exist\`);
        const since = cursor === undefined ? -Infinity : cursorDate(cursor).getTime();
        const later = people.filter((person) => new Date(person.updated_at).getTime() >= since);
        for (let start = 0; start < later.length; start += batchRows) {
          signal.throwIfAborted();
          yield later.slice(start, start + batchRows);
        }
        // If the source reports deleted rows, in a read with a cursor: yield { kind: "deletions", keys: [{ id: 7 }] };
      },
`,
  },
  remote: {
    imports: [],
    context: ["resolvePath"],
    needsRows: false,
    methods: `
      // Describes how DuckDB attaches the source. Replace: the URL; the extension, which \`extensions\` of definePlugin
      // declares; and in tokenEnv the NAME of the variable with the token, secrets.TOKEN.name, never the token itself.
      remote() {
        return { alias: "ALIAS_NAME", extension: "duckdb", url: resolvePath("PLUGIN_NAME.duckdb"), tokenEnv: "" };
      },
`,
  },
  query: {
    imports: [],
    context: ["duckdb"],
    needsRows: true,
    methods: `
      // Runs SQL in the engine of the source. Replace: send the SQL to the source. The example uses DuckDB.
      async query(sql, { signal }) {
        const values = people.map(() => "(?::BIGINT, ?::VARCHAR, ?::TIMESTAMP)").join(", ");
        const parameters = people.flatMap((person) => [
          person.id,
          person.name,
          new Date(person.updated_at).toISOString(),
        ]);
        const source = \`WITH people(id, name, updated_at) AS (VALUES \${values})\`;
        return duckdb.query(\`\${source} SELECT * FROM (\${sql})\`, { parameters, signal });
      },
`,
  },
  metadata: {
    imports: [],
    context: [],
    needsRows: true,
    methods: `
      // Returns metadata of tables without reading them. Replace: request it from the source; omit unknown values.
      async metadata(tables) {
        return tables
          .filter((table) => table.name === "people")
          .map(({ name }) => ({ name, rows: people.length, entityType: "table" as const }));
      },
`,
  },
};
