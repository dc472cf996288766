import { readWithAgnes } from "./agnes-reader.ts";
import { differencesOf } from "./compare.ts";
import { knownTable } from "./generate.ts";
import type { Reader } from "./model.ts";

/** How many tables `npm test` compares; `npm run test:full` compares many more. */
export const SEEDS = 30;

/** How many tables one workspace holds. */
const BATCH = 240;

/** One text for each table that is shown differently than it was written, with the seed to replay it. */
export async function seedDifferences(
  { from, to }: { readonly from: number; readonly to: number },
  reader: Reader = readWithAgnes,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (let first = from; first < to; first += BATCH) {
    const tables = Array.from({ length: Math.min(BATCH, to - first) }, (_, at) => knownTable(first + at));
    const actual = await reader(tables);
    for (const table of tables) {
      const differences = differencesOf(table, actual.get(table.name));
      if (differences.length === 0) continue;
      const { seed, format, dialect, files } = table;
      const rows = files.map((file) => file.rows.length).join(" + ");
      found.push(
        [`seed ${seed}: ${format}, ${dialect}, ${rows} rows`, ...differences.map((line) => `  ${line}`)].join(
          "\n",
        ),
      );
    }
  }
  return found;
}

/** The seeds to compare: those asked for, or one that is to be replayed. */
export function seedRange(count: number): { readonly from: number; readonly to: number } {
  const replayed = process.env["AGNES_DIFFERENTIAL_SEED"];
  return replayed === undefined
    ? { from: 0, to: count }
    : { from: Number(replayed), to: Number(replayed) + 1 };
}

/** What a failing test prints. */
export function reportOf(differences: readonly string[], seeds: number): string {
  if (differences.length === 0) return "";
  return [
    `${differences.length} of ${seeds} tables differ. Replay one: AGNES_DIFFERENTIAL_SEED=<seed> npx bun test tests/differential`,
    ...differences.slice(0, 25),
    ...(differences.length > 25 ? [`… and ${differences.length - 25} more`] : []),
  ].join("\n");
}
