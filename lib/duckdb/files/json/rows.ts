import { open } from "node:fs/promises";
import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { JsonText } from "../../../base/mod.ts";
import type { FileColumn, FileInput } from "../../../kit/mod.ts";
import type { OpenFileOptions, RejectedRow } from "../opened-file.ts";
import { COLUMNS_MAX } from "./inspect.ts";
import { mayWiden } from "./keep-kind.ts";
import type { Misfit } from "./problem.ts";
import { rowShape } from "./row-shape.ts";
import { scanFile } from "./scan-file.ts";
import type { JsonScanner } from "./scanner.ts";
import { nonObjectReason } from "./non-object-row.ts";
import { ShapeWalk } from "./walk.ts";

/**
 * Returns the rows of a file with a value that does not fit, each with the first such value, and rows that are not objects.
 *
 * @param more misfits that the scan cannot find, by row number
 */
export async function misfitsOf(
  file: FileInput,
  isLines: boolean,
  columns: readonly FileColumn[],
  { signal, more }: { readonly signal: AbortSignal | undefined; readonly more?: ReadonlyMap<number, Misfit> },
): Promise<readonly RejectedRow[]> {
  const rejected: RejectedRow[] = [];
  const texts = new RowTexts();
  let first: (Misfit & { readonly mayWiden: boolean }) | null = null;
  const walk: ShapeWalk = new ShapeWalk(rowShape(columns), {
    columnsMax: COLUMNS_MAX,
    isLocating: true,
    newRoot: () => rowShape(columns),
    onMisfit: (misfit, isNumber) => {
      first ??= { ...misfit, mayWiden: mayWiden(misfit.type, misfit.value, isNumber) };
    },
    onRow: (isGood) => {
      const { rows: row } = walk.scanner!;
      const misfit = isGood ? more?.get(row) : first;
      if (misfit == null) return;
      const { column, value, type } = misfit;
      const record = new JsonText(texts.row(walk.scanner!).toString("utf8"));
      const wider = first?.mayWiden === true ? { widerThan: type } : {};
      rejected.push({ row, column, value, reason: `it is not ${type}`, record, ...wider });
      first = null;
    },
    onNonObjectRow: (nonObject) => {
      const { line } = nonObject;
      const text = texts.row(walk.scanner!).toString("utf8");
      rejected.push({
        row: walk.scanner!.rows,
        column: "",
        value: text,
        reason: nonObjectReason(nonObject),
        record: { line, text },
      });
    },
  });
  await scanFile(file, isLines, walk, { signal, onChunk: (chunk, scanner) => texts.add(chunk, scanner) });
  return rejected;
}

/** Receives a value that does not fit, with the key of its column and whether a wider type of its kind may hold it. */
type OnColumnMisfit = (key: string, misfit: Misfit, mayWiden: boolean) => void;

/**
 * Copies the selected rows, by number from 1, to a new UTF-8 file. Numbers in text columns and values in JSON columns
 * become strings, because DuckDB would reformat their numbers.
 *
 * @param options.onMisfit receives values that do not fit, which then become null; without it, no selected row has one
 * @returns the path of the copy
 */
export async function copyRows(
  file: FileInput,
  isLines: boolean,
  columns: readonly FileColumn[],
  isSelected: (row: number) => boolean,
  {
    directory = tmpdir(),
    signal,
    onMisfit,
  }: Pick<OpenFileOptions, "directory" | "signal"> & { readonly onMisfit?: OnColumnMisfit },
): Promise<string> {
  const path = join(directory, `agnes-${randomUUID()}.ndjson.tmp`);
  const target = await open(path, "wx");
  const texts = new RowTexts();
  let ready: Uint8Array[] = [];
  const flush = async () => {
    const bytes = Buffer.concat(ready);
    ready = [];
    if (bytes.length > 0) await target.writeFile(bytes);
  };
  const known = new Set(columns.map(({ name, key = name }) => key));
  let unknown = "agnes_misfit";
  while (known.has(unknown)) unknown += "_";
  const walk: ShapeWalk = new ShapeWalk(rowShape(columns), {
    columnsMax: COLUMNS_MAX,
    ...(onMisfit === undefined
      ? {
          // Such rows are never selected.
          onNonObjectRow: () => {},
        }
      : {
          isLocating: true,
          newRoot: () => rowShape(columns),
          onColumnMisfit: (misfit, isNumber, key) => {
            onMisfit(key.name, misfit, mayWiden(misfit.type, misfit.value, isNumber));
            // DuckDB ignores the value of an unknown key.
            texts.replace(key.start, key.end, () => unknown);
          },
        }),
    onNumberText: (start, end) => texts.replace(start, end, (number) => `"${number}"`),
    onJsonText: (start, end) => texts.replace(start, end, (json) => JSON.stringify(compact(json))),
    onRow: () => {
      if (isSelected(walk.scanner!.rows)) ready.push(texts.replacedRow(walk.scanner!), NEW_LINE);
    },
  });
  try {
    const onChunk = async (chunk: Uint8Array, scanner: JsonScanner) => {
      await flush();
      texts.add(chunk, scanner);
    };
    await scanFile(file, isLines, walk, { signal, onChunk });
    await flush();
  } finally {
    await target.close();
  }
  return path;
}

const NEW_LINE = Buffer.from("\n");

/** Formats JSON like DuckDB, but keeps numbers unchanged. */
function compact(json: string): string {
  return json.replaceAll(/"(?:[^"\\]|\\.)*"|\s+/g, (token) => {
    if (token[0] !== '"') return "";
    return token.includes("\\") ? JSON.stringify(JSON.parse(token)) : token;
  });
}

interface Replaced {
  readonly start: number;
  readonly end: number;
  readonly make: (text: string) => string;
}

/** The bytes of the current row. */
class RowTexts {
  #bytes: Buffer = Buffer.alloc(0);
  /** The offset of the first byte in the file. */
  #offset = 0;
  #replaced: Replaced[] = [];

  add(chunk: Uint8Array, scanner: JsonScanner): void {
    const done = scanner.rowOffset - this.#offset;
    this.#bytes = Buffer.concat([this.#bytes.subarray(done), chunk]);
    this.#offset += done;
  }

  /** Replaces a part of the row. */
  replace(start: number, end: number, make: Replaced["make"]): void {
    this.#replaced.push({ start, end, make });
  }

  replacedRow(scanner: JsonScanner): Buffer {
    const replaced = this.#replaced
      .filter(({ start }) => start >= scanner.rowOffset)
      .sort((one, other) => one.start - other.start);
    this.#replaced = [];
    if (replaced.length === 0) return this.row(scanner);
    const parts: Buffer[] = [];
    let from = scanner.rowOffset;
    for (const { start, end, make } of replaced) {
      const text = make(this.#slice(start, end).toString("utf8"));
      parts.push(this.#slice(from, start), Buffer.from(text));
      from = end;
    }
    return Buffer.concat([...parts, this.#slice(from, scanner.rowEnd)]);
  }

  row(scanner: JsonScanner): Buffer {
    return this.#slice(scanner.rowOffset, scanner.rowEnd);
  }

  #slice(start: number, end: number): Buffer {
    return this.#bytes.subarray(start - this.#offset, end - this.#offset);
  }
}
