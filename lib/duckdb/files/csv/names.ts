import { AgnesError, counted } from "../../../base/mod.ts";
import type { CsvDialect, FileColumn, FileInput } from "../../../kit/mod.ts";
import { namesOfTable } from "../columns.ts";
import { nameKnownColumns } from "../generated-names.ts";
import type { CsvHead } from "./head.ts";
import { csvRecords } from "./records.ts";

/**
 * Returns the column names in the header of a CSV file, in file order. Names may be empty or repeated.
 * @param headerless the names for a file without a header
 * @param isOfTable whether `headerless` comes from the table instead of the options
 * @throws `file_unreadable` for invalid column names
 */
export function writtenNames(
  head: CsvHead,
  dialect: CsvDialect,
  headerless?: readonly string[],
  isOfTable = false,
): readonly string[] {
  const [first] = csvRecords(head.text, dialect);
  if (first === undefined) return headerless ?? [];
  const written = dialect.header ? first.values : first.values.map((_, at) => `column${at}`);
  if (headerless !== undefined) {
    if (headerless.length === first.values.length) return headerless;
    const other = isOfTable
      ? `its table has ${headerless.length}; ${WITHOUT_HEADER}`
      : `csv.names has ${headerless.length}`;
    throw badHeader(head.file, `it has ${counted(first.values.length, "column")}, but ${other}`);
  }
  if (first.isUnclosed) throw badHeader(head.file, "its header has an unclosed quote");
  const control = written.find((name) => /\p{Cc}/u.test(name.replaceAll(/[\r\n\t]/g, "")));
  if (control !== undefined) {
    throw badHeader(head.file, `the column name ${JSON.stringify(control)} contains a control character`);
  }
  refuseOtherCase(head.file, written);
  return written;
}

/**
 * Returns the names of a CSV file's columns in a known table, in file order.
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
  const headerless = dialect.names ?? (dialect.header ? undefined : inOrder());
  const written = writtenNames(head, dialect, headerless, dialect.names === undefined);
  return namesOfTable(nameKnownColumns({ file: head.file, written }, columns), columns);
}

const WITHOUT_HEADER = "without a header, all files of a table must have the same columns";

/**
 * Rejects files without a header that differ in the number of columns, because the missing ones are unknown.
 * @throws `file_unreadable` naming both files
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
        `the columns ${JSON.stringify(other)} and ${JSON.stringify(name)} differ only by case`,
      );
    }
    seen.set(name.toLowerCase(), name);
  }
}

function badHeader(file: FileInput, reason: string): AgnesError {
  return new AgnesError("file_unreadable", { path: file.origin ?? file.path, reason });
}
