/** What a new plugin can be able to do. `stream` and `write` come with the code that runs them. */
export const scaffoldCapabilities = ["discover", "read", "remote", "query", "metadata"] as const;
/** One of `scaffoldCapabilities`. */
export type ScaffoldCapability = (typeof scaffoldCapabilities)[number];

/** What one capability adds to the text of a new plugin. */
export interface ScaffoldPart {
  /** Names it takes from `agnes/kit`; types begin with `type `. */
  readonly imports: readonly string[];
  /** Names it takes from the context of `connect`. */
  readonly context: readonly string[];
  /** Whether it works on the example's rows. */
  readonly needsRows: boolean;
  /** The methods of the connector, indented by six. */
  readonly methods: string;
}

/** The text of each capability's methods, over the example's rows. */
export const scaffoldParts: { readonly [C in ScaffoldCapability]: ScaffoldPart } = {
  discover: {
    imports: ["table", "int64", "timestamp", "utf8"],
    context: [],
    needsRows: false,
    methods: `
      // Lists the tables of the source. Replace: ask the source what it has.
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
      // Reads a table in batches: all rows, or with a cursor the rows from its value on. Replace: ask the source, page
      // by page. Agnes applies what you cannot push down (columns, filter) to the rows you yield.
      // \`cursor\` is set after: agnes table update SOURCE.people --strategy incremental
      async *read(table, { cursor, batchRows, signal }) {
        if (table.name !== "people") throw permanent(\`there is no table \${table.name}\`);
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
      // How DuckDB attaches the source itself. Replace: its address; its extension, which extensions of definePlugin
      // describes; and in tokenEnv the NAME of the variable that holds the token, secrets.TOKEN.name; never the token.
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
      // Runs SQL in the source's engine. Replace: send it to the source; here DuckDB plays that part.
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
      // What the source knows of its tables without reading them. Replace: ask it; leave out what it does not know.
      async metadata(tables) {
        return tables
          .filter((known) => known.name === "people")
          .map(({ name }) => ({ name, rows: people.length, entityType: "table" as const }));
      },
`,
  },
};
