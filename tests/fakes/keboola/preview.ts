import { csvRecord } from "./csv.ts";
import { invalid } from "./errors.ts";
import { readExport, selectRows } from "./exports.ts";
import { numberOf, textOf, type Parameters } from "./parameters.ts";
import type { KeboolaScript } from "./script.ts";
import type { KeboolaTable, World } from "./table.ts";

const ROWS_MAX = 1000;
// JSON cuts longer values and states so (blueprint, "Data preview").
const TEXT_MAX = 16_384;

/** The first rows of a table, at most 1000, as CSV or JSON. */
export function previewRows(
  table: KeboolaTable,
  asked: Parameters,
  script: KeboolaScript,
  world: World,
): Response {
  const { limit: _limit, format: _format, ...rest } = asked;
  const limit = numberOf(asked, "limit") ?? 100;
  if (limit < 1 || limit > ROWS_MAX) throw invalid(`limit: The value should be between 1 and ${ROWS_MAX}.`);
  const now = world.now();
  const request = { ...readExport(rest, table, script, now), limit };
  const { columns } = request;
  const rows = selectRows(table, request, script, { now, random: world.random });
  if (textOf(asked, "format") === "json") {
    const cell = (columnName: string, value: string | null) => ({
      columnName,
      value: value?.slice(0, TEXT_MAX) ?? null,
      isTruncated: (value?.length ?? 0) > TEXT_MAX,
    });
    const records = rows.map(({ values }) => columns.map((name) => cell(name, values.get(name) ?? null)));
    return Response.json({ columns, rows: records });
  }
  const isText = columns.map(() => true);
  const lines = rows.map(({ values }) =>
    csvRecord(
      columns.map((name) => values.get(name) ?? null),
      isText,
    ),
  );
  return new Response(csvRecord(columns, isText) + lines.join(""), {
    headers: { "content-type": "text/csv" },
  });
}
