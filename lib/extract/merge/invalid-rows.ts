import { createRowBuilder, type arrow, type Change, type Row, type RowReject } from "../../kit/mod.ts";
import { publishedColumns, type TablePlan } from "../job/plan.ts";
import { familyOf } from "./family.ts";
import { fieldsOf, only, versionedKey } from "./stage-rows.ts";

/** Returns the rows, keys and parents of changes with a value that cannot be stored, with the first such value. */
export function invalidRows(plan: TablePlan, changes: readonly Change[]): ReadonlyMap<Row, RowReject> {
  const invalid = new Map<Row, RowReject>();
  const { schema } = plan.info;
  const rows = changes.flatMap((change) =>
    change.kind === "upsert" ? [change.row] : change.kind === "replace" ? change.rows : [],
  );
  check(schema, rows, rows);
  const key = versionedKey(plan);
  const deleted = changes.flatMap((change) => (change.kind === "delete" ? [change.key] : []));
  check(
    fieldsOf(schema, key, key),
    deleted,
    deleted.map((row) => only(row, key)),
  );
  const known = new Set(publishedColumns(plan));
  const families = new Map<string, { readonly columns: readonly string[]; readonly parents: Row[] }>();
  for (const change of changes) {
    if (change.kind !== "replace") continue;
    const { columns, name } = familyOf(change);
    // Missing and unknown columns are reported with the parent.
    if (columns.length === 0 || !columns.every((column) => known.has(column))) continue;
    const family = families.get(name);
    if (family === undefined) families.set(name, { columns, parents: [change.parent] });
    else family.parents.push(change.parent);
  }
  for (const { columns, parents } of families.values())
    check(fieldsOf(schema, columns, columns), parents, parents);
  return invalid;

  function check(of: arrow.Schema, sources: readonly Row[], values: readonly Row[]): void {
    const onReject = (reject: RowReject) => invalid.set(sources[reject.row - 1]!, reject);
    const builder = createRowBuilder({ name: plan.name, schema: of }, { onReject });
    builder.append(values);
    builder.finish();
  }
}
