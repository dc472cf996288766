import type { RebuildReport } from "../../lib/analytics/mod.ts";
import { plural } from "../terminal/figures.ts";

/** Maximum number of lines per extract; the report has all. */
const LINES_MAX = 10;

/** The reasons why tables or parts of them are not in the catalog, one per line, with a limit per extract. */
export function leftOutLines({
  published,
  skipped,
  errors,
}: Pick<RebuildReport, "published" | "skipped" | "errors">): readonly string[] {
  const publishedIds = new Set(published.map(({ id }) => id));
  const lines: string[] = [];
  const perSource = new Map<string, number>();
  for (const { name, reason } of [...skipped, ...errors]) {
    const [source] = name.split(".", 1) as [string];
    const count = (perSource.get(source) ?? 0) + 1;
    perSource.set(source, count);
    if (count > LINES_MAX) continue;
    const isTable = name.includes(".") && !publishedIds.has(name);
    lines.push(isTable ? `${name} is not in the catalog: ${reason}` : `${name}: ${reason}`);
  }
  for (const [source, count] of perSource) {
    if (count <= LINES_MAX) continue;
    const more = plural(count - LINES_MAX, "more line");
    lines.push(`${source}: ${more} of this kind; see data/analytics/rebuild-report.json for all`);
  }
  return lines;
}
