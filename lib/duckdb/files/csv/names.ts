import { AgnesError, counted } from "../../../base/mod.ts";
import type { CsvDialect, FileColumn, FileInput } from "../../../kit/mod.ts";
import { namesOfTable } from "../columns.ts";
import { nameKnownColumns } from "../own-names.ts";
import type { CsvHead } from "./head.ts";
import { csvRecords } from "./records.ts";

/**
 * The columns of a CSV file as its header names them, in its order: names may be empty or repeated.
 * @param given the names, for a file without a header; `isOfTable`: by its table, not by the options
 * @throws `file_unreadable` for names that cannot be columns
 */
export function writtenNames(
  head: CsvHead,
  dialect: CsvDialect,
  given?: readonly string[],
  isOfTable = false,
): readonly string[] {
  const [first] = csvRecords(head.text, dialect);
  if (first === undefined) return given ?? [];
  const written = dialect.header ? first.values : first.values.map((_, at) => `column${at}`);
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
  refuseOtherCase(head.file, written);
  return written;
}

/**
 * The names that the columns of a CSV file have in a known table, in the order of the file.
 * @throws `file_unreadable`; `file_reading_outdated` as `nameKnownColumns`
 */
export function knownNames(
  head: CsvHead,
  dialect: CsvDialect,
  columns: readonly FileColumn[],
  constants: FileInput["constants"] = {},
): readonly string[] {
  // A file without a header has the columns of the table, in their order.
  const inOrder = () => columns.map(({ name }) => name).filter((name) => !(name in constants));
  const given = dialect.names ?? (dialect.header ? undefined : inOrder());
  const written = writtenNames(head, dialect, given, dialect.names === undefined);
  return namesOfTable(nameKnownColumns({ file: head.file, written }, columns), columns);
}

const WITHOUT_HEADER = "without a header all files of a table need the same columns";

/**
 * Refuses files without a header of which one has more columns than another: which ones it lacks cannot be told.
 * @throws `file_unreadable` naming both
 */
export function checkWidths(
  files: readonly { readonly file: FileInput; readonly written: readonly string[] }[],
): void {
  const [first] = files;
  const other = files.find(({ written }) => written.length !== first!.written.length);
  if (other === undefined) return;
  const { file, written } = first!;
  const reason = `it has ${counted(other.written.length, "column")}, but ${file.origin ?? file.path} has ${written.length}; ${WITHOUT_HEADER}`;
  throw badHeader(other.file, reason);
}

function refuseOtherCase(file: FileInput, written: readonly string[]): void {
  const seen = new Map<string, string>();
  for (const name of written) {
    const other = seen.get(name.toLowerCase()) ?? name;
    if (other !== name) {
      throw badHeader(
        file,
        `the columns ${JSON.stringify(other)} and ${JSON.stringify(name)} differ by case only`,
      );
    }
    seen.set(name.toLowerCase(), name);
  }
}

function badHeader(file: FileInput, reason: string): AgnesError {
  return new AgnesError("file_unreadable", { path: file.origin ?? file.path, reason });
}
