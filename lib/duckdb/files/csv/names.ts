import { AgnesError, counted } from "../../../base/mod.ts";
import type { CsvDialect, FileInput } from "../../../kit/mod.ts";
import type { CsvHead } from "./head.ts";
import { csvRecords } from "./records.ts";

/**
 * The names of the columns of a CSV file, in its order: empty ones and repeated ones get names of their own.
 * @param given the names, for a file without a header; `isOfTable`: by its table, not by the options
 * @throws `file_unreadable` for names that cannot be columns
 */
export function columnNames(
  head: CsvHead,
  dialect: CsvDialect,
  given?: readonly string[],
  isOfTable = false,
): readonly string[] {
  const [first] = csvRecords(head.text, dialect);
  if (first === undefined) return given ?? [];
  const written = dialect.header ? first.values : first.values.map(() => "");
  if (given !== undefined) {
    if (given.length === first.values.length) return given;
    const other = isOfTable
      ? `its table ${given.length}; ${WITHOUT_HEADER}`
      : `csv.names has ${given.length}`;
    throw badHeader(head.file, `it has ${counted(first.values.length, "column")}, but ${other}`);
  }
  if (first.isUnclosed) throw badHeader(head.file, "its header has a quote that does not close");
  const control = written.find((name) => /\p{Cc}/u.test(name.replaceAll(/[\r\n\t]/g, "")));
  if (control !== undefined) {
    throw badHeader(head.file, `the column ${JSON.stringify(control)} has a control character in its name`);
  }
  return distinct(head.file, written);
}

const WITHOUT_HEADER = "without a header all files of a table need the same columns";

/**
 * Refuses files without a header of which one has more columns than another: which ones it lacks cannot be told.
 * @throws `file_unreadable` naming both
 */
export function checkWidths(
  files: readonly { readonly head: CsvHead; readonly names: readonly string[] }[],
): void {
  const [first] = files;
  const other = files.find(({ names }) => names.length !== first!.names.length);
  if (other === undefined) return;
  const { file } = first!.head;
  const reason = `it has ${counted(other.names.length, "column")}, but ${file.origin ?? file.path} has ${first!.names.length}; ${WITHOUT_HEADER}`;
  throw badHeader(other.head.file, reason);
}

function distinct(file: FileInput, written: readonly string[]): readonly string[] {
  const taken = new Map<string, string>();
  const all = new Set(written);
  return written.map((name, at) => {
    const wanted = name === "" ? `column${at}` : name;
    let unique = wanted;
    for (let number = 1; taken.has(unique.toLowerCase()) || (unique !== name && all.has(unique)); number++) {
      const other = taken.get(unique.toLowerCase());
      if (other !== undefined && other !== unique) {
        throw badHeader(
          file,
          `the columns ${JSON.stringify(other)} and ${JSON.stringify(unique)} differ by case only`,
        );
      }
      unique = `${wanted}_${number}`;
    }
    taken.set(unique.toLowerCase(), unique);
    return unique;
  });
}

function badHeader(file: FileInput, reason: string): AgnesError {
  return new AgnesError("file_unreadable", { path: file.origin ?? file.path, reason });
}
