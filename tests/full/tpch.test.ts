import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createAgnes, type Agnes } from "../../lib/mod.ts";
import files from "../../plugins/files/plugin.ts";
import { ROOT } from "../../tools/source.ts";
import { exactNumber } from "../differential/exact-number.ts";
import { pythonWith, run } from "./python.ts";

/** The extension, signed, and the engine it is made for. */
const PACKAGES = ["duckdb==1.5.5", "duckdb-extension-tpch==1.5.5"];

const SCALE = 0.1;

interface Query {
  readonly number: number;
  readonly sql: string;
  /** A header and rows, with `|` between the values. */
  readonly answer: string;
  readonly types: readonly string[];
}

let directory: string;
let queries: readonly Query[];
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "agnes-tpch-"));
  const python = pythonWith(PACKAGES);
  run(python, [join(ROOT, "tests/full/tpch/generate.py"), directory, String(SCALE)]);
  queries = JSON.parse(readFileSync(join(directory, "queries.json"), "utf8")) as readonly Query[];
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function synced(kind: "csv" | "parquet"): Promise<Agnes> {
  const agnes = await createAgnes({
    plugins: [files],
    workspace: join(directory, kind),
    config: { version: 1, sources: { tpch: { plugin: "files", options: { path: `./*.${kind}` } } } },
  });
  expect((await agnes.sync()).status).toBe("complete");
  return agnes;
}

/** How an answer differs from the right one: averages and ratios by more than rounding, all else at all. */
async function differencesOf(agnes: Agnes, { sql, answer, types }: Query): Promise<readonly string[]> {
  const [header, ...lines] = answer.trimEnd().split("\n");
  const rows = await agnes.rows<Readonly<Record<string, string | number | null>>>(sql);
  if (rows.length !== lines.length) return [`${rows.length} rows instead of ${lines.length}`];
  return lines.flatMap((line, row) =>
    line.split("|").flatMap((text, at) => {
      const shown = String(Object.values(rows[row]!)[at] ?? "");
      const isSame = types[at] === "DOUBLE" ? isClose(text, shown) : isEqual(text, shown);
      return isSame ? [] : [`row ${row + 1}, ${header!.split("|")[at]!}: ${shown} instead of ${text}`];
    }),
  );
}

function isEqual(text: string, shown: string): boolean {
  return text === shown || (exactNumber(text) !== null && exactNumber(text) === exactNumber(shown));
}

/** A double depends on the order in which it was added up. */
function isClose(text: string, shown: string): boolean {
  return Math.abs(Number(text) - Number(shown)) <= Math.abs(Number(text)) * 1e-12;
}

describe.each(["csv", "parquet"] as const)("createAgnes() over TPC-H as %s", (kind) => {
  test("answers all 22 queries right", async () => {
    await using agnes = await synced(kind);
    expect(queries.length).toBe(22);
    const wrong: string[] = [];
    for (const query of queries) {
      const differences = await differencesOf(agnes, query);
      if (differences.length > 0) wrong.push(`query ${query.number}: ${differences.slice(0, 3).join("; ")}`);
    }
    expect(wrong).toEqual([]);
  });

  test("has dates, decimals and texts as such", async () => {
    await using agnes = await synced(kind);
    const { schema } = await agnes.describe("lineitem");
    const types = new Map(schema.map(({ name, type }) => [name, type]));
    expect(types.get("l_orderkey")).toMatch(/^(?:BIGINT|INTEGER)$/);
    expect(types.get("l_extendedprice")).toMatch(/^DECIMAL\(\d+,2\)$/);
    expect(types.get("l_shipdate")).toBe("DATE");
    expect(types.get("l_returnflag")).toBe("VARCHAR");
    const [totals] = await agnes.rows<{ rows: number }>("SELECT count(*) AS rows FROM lineitem");
    expect(totals!.rows).toBe(600_572);
  });
});
