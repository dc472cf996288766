import { expect, test } from "bun:test";

import { fakeKeboola } from "../fakes/keboola/mod.ts";
import { described } from "./project.ts";
import { openProject } from "./support.ts";

test("an incremental sync names keys that are equal only in the type of their column", async () => {
  const keboola = fakeKeboola();
  const table = keboola.storage.createTable("in.c-crm.people", {
    columns: ["id", "name"],
    primaryKey: ["id"],
    columnMetadata: { id: described("INTEGER") },
  });
  await using project = await openProject(keboola);
  table.load([{ id: "1", name: "one" }], { mode: "truncate" });
  const notes = async () => {
    project.host.advance(3 * 60 * 60_000);
    await project.reconnect();
    const { tables } = await project.sync({ "in.c-crm.people": { strategy: "incremental" } });
    return tables[0]!.notes;
  };
  expect(await notes()).toEqual([]);
  table.load([{ id: "01", name: "zero one" }], { mode: "incremental" });
  const found = await notes();
  expect(found[0]).toContain("so the table was read in full");
  expect(found.at(-1)).toBe(
    "its source reports 2 rows, but it has 1 after the read, because several of its rows have the same key, compared as id BIGINT",
  );
});
