import { eachOf, type Files } from "../../../base/mod.ts";
import { checkedSelect, type TextColumn } from "../checked-values.ts";
import { compressionOf, hostFile } from "../open-bytes.ts";
import type { OpenFile, ReadableChunk } from "../opened-file.ts";
import { selectByPath } from "../path-values.ts";
import { readCsvHead } from "./head.ts";
import { keepingLoneEscapes } from "./lone-escapes.ts";
import { knownNames } from "./names.ts";
import { textColumns } from "./open-csv-file.ts";
import { csvRelation, textTypes } from "./relation.ts";
import { refuseReopenedQuotes } from "./reopened-quotes.ts";

/** The column with the index of a row's file, as text. */
export const FILE_COLUMN = "agnes_file";

/** Several CSV files that one scan reads. */
export interface OpenCsvFiles extends Pick<OpenFile, "present"> {
  /** The indexes of these files among the input chunks; the others need separate scans. */
  readonly places: readonly number[];
  /** The SELECT of all rows with `FILE_COLUMN`, an index of `places`. It fails instead of returning a wrong value. */
  readonly select: string;
}

const HEADS_IN_PARALLEL = 8;

/**
 * Opens those of several CSV files with one reading that one scan can read: they have the same columns as the first, UTF-8
 * and uniform line ends. One thread reads each file, so its rows keep their order.
 *
 * @throws as `openFile`
 */
export async function openCsvFiles(
  chunks: readonly ReadableChunk[],
  { files, signal }: { readonly files: Files; readonly signal: AbortSignal },
): Promise<OpenCsvFiles | null> {
  const { reading, constants } = chunks[0]!;
  const dialect = reading.csv!;
  const heads = await eachOf(chunks, HEADS_IN_PARALLEL, async (chunk) => {
    const head = await readCsvHead(hostFile(chunk, { files }), dialect, signal);
    return head.isEmpty ? head : keepingLoneEscapes(head, dialect, signal);
  });
  const layouts = heads.map((head) => {
    if (head.isEmpty || head.needsCopy) return null;
    const names = knownNames(head, dialect, reading.columns, constants);
    // A file of one column is read from a copy, see `openCsvFile`.
    return names.length === 1 ? null : { names, key: JSON.stringify([names, compressionOf(head.file)]) };
  });
  const first = layouts.find((layout) => layout !== null);
  if (first == null || first.names.some((name) => name.toLowerCase() === FILE_COLUMN)) return null;
  const places = layouts.flatMap((layout, place) => (layout?.key === first.key ? [place] : []));
  for (const place of places) await refuseReopenedQuotes(heads[place]!, dialect, signal);
  const columns = textColumns(heads[places[0]!]!.file, first.names, reading.columns);
  const inputs = places.map((place) => {
    const { path, compression = "auto" } = heads[place]!.file;
    return { path, compression };
  });
  const number: TextColumn = {
    column: { name: FILE_COLUMN, type: "VARCHAR" },
    text: "CAST(file_index AS VARCHAR)",
  };
  const present = columns.map(({ column: { name, type } }) => ({ name, type }));
  const select = checkedSelect(
    csvRelation(inputs, dialect, textTypes(first.names.length)),
    [...columns, number],
    dialect,
  );
  return { places, present, select: selectByPath(select, chunks[0]!, present) };
}
