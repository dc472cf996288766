import { AgnesError, counted } from "../../../base/mod.ts";
import type { CsvDialect, FileInput } from "../../../kit/mod.ts";
import type { CsvHead } from "./head.ts";
import { csvRecords } from "./records.ts";

/**
 * The names of the columns of a CSV file, in its order: empty ones and repeated ones get names of their own.
 * @throws `file_unreadable` for names that cannot be columns
 */
export function columnNames(
  head: CsvHead,
  dialect: CsvDialect,
  given?: readonly string[],
): readonly string[] {
  const [first] = csvRecords(head.text, dialect);
  if (first === undefined) return given ?? [];
  const written = dialect.header ? first.values : first.values.map(() => "");
  if (given !== undefined) {
    if (given.length === first.values.length) return given;
    throw badHeader(
      head.file,
      `it has ${counted(first.values.length, "column")}, but csv.names has ${given.length}`,
    );
  }
  if (first.isUnclosed) throw badHeader(head.file, "its header has a quote that does not close");
  const control = written.find((name) => /\p{Cc}/u.test(name.replaceAll(/[\r\n\t]/g, "")));
  if (control !== undefined) {
    throw badHeader(head.file, `the column ${JSON.stringify(control)} has a control character in its name`);
  }
  return distinct(head.file, written);
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
