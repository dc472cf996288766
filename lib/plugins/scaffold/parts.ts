import type { Capability } from "../../kit/mod.ts";

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
export const scaffoldParts: { readonly [C in Capability]: ScaffoldPart } = {
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
    imports: ["permanent"],
    context: [],
    needsRows: true,
    methods: `
      // Reads a table in batches; with a cursor, from its value on. Replace: ask the source, page by page.
      // What you cannot push down to the source (columns, filter) is applied to the rows you yield.
      async *read(table, { cursor, batchRows, signal }) {
        if (table.name !== "people") throw permanent(\`there is no table \${table.name}\`);
        const since = cursor === undefined ? -Infinity : Date.parse(\`\${cursor.value.replace(" ", "T")}Z\`);
        const later = people.filter((person) => new Date(person.updated_at).getTime() >= since);
        for (let start = 0; start < later.length; start += batchRows) {
          signal.throwIfAborted();
          yield later.slice(start, start + batchRows);
        }
        // When the source tells which rows are gone: yield { kind: "deletions", keys: [{ id: 7 }] };
      },
`,
  },
  stream: {
    imports: ["permanent", "type JsonValue", "type Row"],
    context: ["secrets"],
    needsRows: false,
    methods: `
      // Checks that a pushed request is genuine and gives its events. Replace: the header your source signs with.
      async verify({ headers, body }) {
        const secret = secrets.WEBHOOK_SECRET_NAME;
        if (secret === undefined) throw permanent("no secret is set, so no pushed request can be trusted");
        const expected = createHmac("sha256", secret.reveal()).update(body).digest();
        const given = Buffer.from(headers["x-signature"] ?? "", "hex");
        if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
          throw permanent("the signature of the request is wrong");
        }
        const event = JSON.parse(new TextDecoder().decode(body)) as { id: string; body: JsonValue };
        return [{ id: event.id, body: event.body }];
      },

      // Turns events into changes of rows. Replace: what your source's events look like.
      async *stream(events) {
        for await (const { body } of events) {
          const event = body as { deleted?: boolean; person: Row };
          if (event.deleted === true) {
            yield { kind: "delete", table: "people", key: { id: event.person["id"] } };
          } else {
            yield { kind: "upsert", table: "people", row: event.person };
          }
        }
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
  write: {
    imports: [],
    context: [],
    needsRows: true,
    methods: `
      // Pushes rows back. Replace: send each batch to the source and count what it took.
      async write(_table, batches, { mode, signal }) {
        let rows = 0;
        if (mode === "replace") people.length = 0;
        for await (const batch of batches) {
          signal.throwIfAborted();
          for (const row of batch) {
            const person = row?.toJSON() as Person;
            const at = people.findIndex((known) => Number(known.id) === Number(person.id));
            if (mode === "upsert" && at >= 0) people[at] = person;
            else people.push(person);
          }
          rows += batch.numRows;
        }
        return { rows };
      },
`,
  },
};
