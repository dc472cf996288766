import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { runCli, temporaryDirectory } from "./run-cli.ts";

const CLOUD = `import { definePlugin, int64, table } from "agnes/kit";
import * as v from "valibot";

export default definePlugin({
  name: "cloud", version: "1.0.0", description: "A cloud", capabilities: ["discover"], options: v.strictObject({}),
  secrets: {
    CLOUD_KEY: { description: "key file", kind: "service_account", required: true },
    CLOUD_TOKEN: { description: "API token" },
  },
  connect: () => ({ discover: async () => [table("a", { id: int64() })] }),
});
`;

test("agnes connector show prints what kind of value each secret is", async () => {
  using directory = temporaryDirectory();
  mkdirSync(join(directory.path, "plugins"));
  writeFileSync(join(directory.path, "agnes.yaml"), "version: 1\n");
  writeFileSync(join(directory.path, "plugins", "cloud.ts"), CLOUD);
  const args = ["connector", "show", "cloud"];
  const { stdout } = await runCli(args, { cwd: directory.path });
  expect(stdout).toMatch(/^CLOUD_KEY +service_account +required +key file$/m);
  expect(stdout).toMatch(/^CLOUD_TOKEN +token +API token$/m);
  const { secrets } = JSON.parse((await runCli([...args, "--json"], { cwd: directory.path })).stdout);
  expect(secrets).toEqual({
    CLOUD_KEY: { description: "key file", kind: "service_account", required: true },
    CLOUD_TOKEN: { description: "API token", kind: "token" },
  });
});

test("agnes connector show prints the descriptions of options in all forms", async () => {
  using directory = temporaryDirectory();
  mkdirSync(join(directory.path, "plugins"));
  writeFileSync(join(directory.path, "agnes.yaml"), "version: 1\n");
  const options = `v.strictObject({
    project: v.optional(v.pipe(v.union([v.string(), v.number()]), v.transform(String), v.description("its id"))),
    maxBytes: v.optional(v.nullable(v.pipe(v.number(), v.description("its size")))),
    tables: v.optional(v.record(v.string(), v.strictObject({
      key: v.nullable(v.pipe(v.string(), v.transform((text) => text.trim()), v.description("its key"))),
    }))),
    login: v.optional(v.union([
      v.pipe(v.string(), v.description("its user")),
      v.strictObject({ user: v.pipe(v.string(), v.description("the name")) }),
    ])),
  })`;
  const plugin = CLOUD.replace('"discover"],', `"discover"], options: ${options},`).replace(
    "options: v.strictObject({}),",
    "",
  );
  writeFileSync(join(directory.path, "plugins", "cloud.ts"), plugin);
  const args = ["connector", "show", "cloud"];
  const { stdout } = await runCli(args, { cwd: directory.path });
  expect(stdout).toMatch(/^project +string \| number +its id$/m);
  expect(stdout).toMatch(/^maxBytes +number \| null +its size$/m);
  expect(stdout).toMatch(/^tables\.NAME\.key +string \| null +required +its key$/m);
  expect(stdout).toMatch(/^login +string \| map +its user$/m);
  expect(stdout).toMatch(/^login\.user +string +required +the name$/m);
  const printed = JSON.parse((await runCli([...args, "--json"], { cwd: directory.path })).stdout);
  expect(printed.options.properties.project.description).toBe("its id");
});

test("agnes connector show prints the fields of JSON queries", async () => {
  using directory = temporaryDirectory();
  writeFileSync(join(directory.path, "agnes.yaml"), "version: 1\n");
  const args = ["connector", "show", "keboola"];
  const { stdout } = await runCli(args, { cwd: directory.path });
  expect(stdout).toContain(
    "source_query of materialized tables is JSON with where_filters, columns, limit, and:",
  );
  expect(stdout).toMatch(/^changed_since +number \| string +Only rows/m);
  expect(stdout).toMatch(/^file_type +csv \| parquet +The format/m);
  const { source_query: sourceQuery } = JSON.parse(
    (await runCli([...args, "--json"], { cwd: directory.path })).stdout,
  );
  expect(Object.keys(sourceQuery.properties)).toEqual(["changed_since", "changed_until", "file_type"]);
  const files = await runCli(["connector", "show", "files"], { cwd: directory.path });
  expect(files.stdout).not.toContain("source_query");
});
