import { createHash } from "node:crypto";
import { join } from "node:path";

import { publishFile, type Host } from "../../base/mod.ts";
import { findTable, type ExtractState, type PublishedTable } from "../format/extract-state.ts";

/** Facts about a published table that later reads found. Losing them only costs time. */
type Facts = Partial<
  Pick<PublishedTable, "cursor" | "state" | "shadowed" | "fingerprint" | "rejecting" | "censusAt">
>;

interface FactsFile {
  readonly version: 1;
  /** By table; `of` identifies the published rows that the facts apply to. */
  readonly tables: Readonly<Record<string, Facts & { readonly of: string }>>;
}

const factsPath = (directory: string) => join(directory, ".checked.json");

/**
 * Adds the findings of later reads that changed nothing to a published state: cursors, connector states, fingerprints and
 * the times of key censuses. They apply only to the parts they were saved for.
 */
export async function withReadFacts(host: Host, state: ExtractState | null): Promise<ExtractState | null> {
  if (state === null) return null;
  const file = await readFacts(host, state.directory);
  const tables = state.tables.map((table): PublishedTable => {
    const known = Object.hasOwn(file.tables, table.name) ? file.tables[table.name] : undefined;
    if (known === undefined || known.of !== contentOf(table)) return table;
    const { of: _, ...facts } = known;
    return { ...table, ...facts };
  });
  return { ...state, tables };
}

/** Saves the facts about `tables` that differ from the `published` state. */
export async function saveReadFacts(
  host: Host,
  published: ExtractState,
  tables: readonly PublishedTable[],
): Promise<void> {
  const { directory } = published;
  const entries = tables.flatMap((table) => {
    const { cursor, state, shadowed, fingerprint, rejecting, censusAt } = table;
    if (table.mode === "remote") return [];
    const base = findTable(published, table.name);
    const facts: Facts = {
      ...(cursor !== undefined && cursor.value !== base?.cursor?.value && { cursor }),
      ...(state !== undefined && JSON.stringify(state) !== JSON.stringify(base?.state) && { state }),
      ...(shadowed !== undefined && { shadowed }),
      ...(fingerprint !== undefined && { fingerprint }),
      // Stored with the cursor, because without the cursor the rows are read and rejected again.
      ...(rejecting !== undefined && { rejecting }),
      ...(censusAt !== undefined && censusAt !== base?.censusAt && { censusAt }),
    };
    return Object.keys(facts).length === 0 ? [] : [[table.name, { of: contentOf(table), ...facts }] as const];
  });
  const text = JSON.stringify({ version: 1, tables: Object.fromEntries(entries) } satisfies FactsFile);
  const known = JSON.stringify(await readFacts(host, directory));
  if (text !== known) await publishFile(host, factsPath(directory), text);
}

async function readFacts({ files }: Host, directory: string): Promise<FactsFile> {
  const empty: FactsFile = { version: 1, tables: {} };
  const bytes = await files.read(factsPath(directory));
  if (bytes === null) return empty;
  try {
    const found = JSON.parse(new TextDecoder().decode(bytes)) as Partial<FactsFile> | null;
    return found?.version === 1 && typeof found.tables === "object" ? (found as FactsFile) : empty;
  } catch {
    // The next read finds the facts again.
    return empty;
  }
}

/** A hash that identifies the definition and the published parts of a table. */
function contentOf({ definition, parts, schemas }: PublishedTable): string {
  const names = parts.map(({ path, origin }) => [path, origin]);
  const text = JSON.stringify([definition, schemas.at(-1)?.version ?? 0, names]);
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
