import assert from "node:assert/strict";

import { isExposedName, toExposedName } from "../../base/mod.ts";
import { capabilities, type RemoteAttachInfo, type TableInfo } from "../../kit/mod.ts";
import { discoverTables } from "../../sources/mod.ts";
import { connectBare } from "./bare.ts";
import type { SourceCase } from "./source-case.ts";
import { assertNoSecret } from "./leaks.ts";
import { able, namedTable, openSession, beforeDeadline, type Session } from "./session.ts";

/** Cases about the description of a source. */
export const sourceCases: readonly SourceCase[] = [
  {
    name: "options reject an unknown key",
    needs: [],
    async run({ plugin, config }) {
      const options = { ...config.options, an_option_nobody_has: true };
      await assert.rejects(
        openSession(plugin, { ...config, options }).then((session) => session[Symbol.asyncDispose]()),
        "an unknown option is accepted; declare the options as a v.strictObject",
      );
    },
  },
  {
    name: "close() may be called twice",
    needs: [],
    async run(session) {
      const bare = await connectBare(session);
      await bare.close?.();
      await bare.close?.();
    },
  },
  {
    name: "health() returns a sentence",
    needs: [],
    async run(session) {
      if (session.connector.health === undefined) return;
      const health = await session.connector.health({ signal: session.signal });
      assert.equal(health.ok, true, `health() reports a problem: ${health.message}`);
      assert.ok(health.message.trim() !== "", "health() returns no message");
      assertNoSecret(session, "the message of health()", health);
    },
  },
  {
    name: "discover() lists named and typed tables",
    needs: ["discover"],
    async run(session) {
      const tables = await discoverTables(session.handle, { signal: session.signal });
      assert.ok(tables.length > 0, "discover() lists no table");
      for (const named of session.config.tables ?? []) namedTable(tables, named);
      const names = new Map<string, string>();
      for (const table of tables) {
        assert.equal(table.problem?.message, undefined, `table ${table.name} cannot be read`);
        checkTable(session, table);
        const exposed = toExposedName(table.name);
        const other = names.get(exposed);
        assert.ok(
          other === undefined,
          `the tables ${table.name} and ${other} are both exposed as ${exposed}`,
        );
        names.set(exposed, table.name);
      }
      assertNoSecret(session, "the result of discover()", tables.map(comparable));
    },
  },
  {
    name: "discover() lists the same tables again",
    needs: ["discover"],
    async run({ handle, signal }) {
      const first = await discoverTables(handle, { signal });
      const second = await discoverTables(handle, { signal });
      assert.deepEqual(
        second.map(comparable),
        first.map(comparable),
        "the second discover() differs from the first",
      );
    },
  },
  {
    name: "discover() stops within a second when it is aborted",
    needs: ["discover"],
    async run(session) {
      const controller = new AbortController();
      controller.abort();
      const found = async () => {
        const tables = await able(session, "discover").discover({ signal: controller.signal });
        if (Symbol.asyncIterator in tables) for await (const _ of tables);
      };
      await beforeDeadline(
        1000,
        found().catch(() => {}),
        "discover() continues for more than a second after the abort",
      );
    },
  },
  {
    name: "remote() embeds no secret",
    needs: ["remote"],
    async run(session) {
      const info = able(session, "remote").remote();
      assert.ok(isExposedName(info.alias), `the alias ${JSON.stringify(info.alias)} is not a valid name`);
      assert.ok(
        isExposedName(info.extension),
        `the extension ${JSON.stringify(info.extension)} is not a valid name`,
      );
      assert.ok(info.url !== "", "remote() returns no url");
      assert.match(info.tokenEnv, /^([A-Z][A-Z0-9_]{0,63})?$/, "tokenEnv is not a valid variable name");
      assert.ok(!/:\/\/[^/@]*:[^/@]*@/.test(info.url), "the url contains a user and a password");
      assertNoSecret(session, "the result of remote()", info);
      assertTokenTaken(session, info);
    },
  },
];

/** Checks that the extension receives the token; otherwise the table could not be attached. */
function assertTokenTaken({ plugin }: Session, info: RemoteAttachInfo): void {
  if (info.tokenEnv === "") return;
  const { tokenOption, secret } = plugin.extensions?.[info.extension] ?? {};
  const values = [...Object.values(info.options ?? {}), ...Object.values(info.secret ?? {})];
  assert.ok(
    tokenOption !== undefined ||
      secret?.tokenParameter !== undefined ||
      values.some((value) => typeof value === "object" && value.name === info.tokenEnv),
    `tokenEnv is ${info.tokenEnv}, but extensions.${info.extension} has neither tokenOption nor secret.tokenParameter`,
  );
}

function checkTable({ plugin }: Session, table: TableInfo): void {
  const known = new Set(capabilities.filter((capability) => plugin.capabilities.includes(capability)));
  for (const capability of table.capabilities ?? []) {
    assert.ok(
      known.has(capability),
      `table ${table.name} has the capability ${capability}, which the plugin does not declare`,
    );
  }
  const columns = table.schema.fields.map((field) => String(field.name));
  assert.ok(columns.length > 0, `table ${table.name} has no columns`);
  const folded = new Set(columns.map((column) => column.toLowerCase()));
  assert.equal(folded.size, columns.length, `table ${table.name} has two columns with the same name`);
  const key = [...table.primaryKey, ...(table.cursor === undefined ? [] : [table.cursor])];
  for (const column of key) {
    assert.ok(
      columns.includes(column),
      `the key or cursor of table ${table.name} is ${column}, which is not a column`,
    );
  }
}

/** Converts a table to a value that can be compared and searched. */
function comparable(table: TableInfo): Readonly<Record<string, unknown>> {
  return {
    ...table,
    estimatedRows: undefined,
    estimatedBytes: undefined,
    schema: table.schema.fields.map(String),
  };
}
