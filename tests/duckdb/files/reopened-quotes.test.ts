import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { nodeFiles } from "../../../lib/base/mod.ts";
import { readCsvHead } from "../../../lib/duckdb/files/csv/head.ts";
import { refuseReopenedQuotes } from "../../../lib/duckdb/files/csv/reopened-quotes.ts";
import type { CsvDialect } from "../../../lib/kit/mod.ts";
import { rejection, temporaryDirectory } from "../support.ts";

const dialect = { delimiter: ",", quote: '"', escape: '"', comment: "" } as CsvDialect;

test.each([0, 1, 2, 3])(
  "refuseReopenedQuotes() tracks quotes across chunks of a file, %i bytes on",
  async (shift) => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, "t.csv");
    // The value is at the end of a chunk of one mebibyte.
    const before = `a,b\n${"1,2\n".repeat(262_142)}`;
    const value = `${"3".repeat(shift)},"x" "y"`;
    await writeFile(path, `${before}${value}\n`);
    const head = await readCsvHead({ files: nodeFiles(), path }, dialect);
    const refused = await rejection(refuseReopenedQuotes(head, dialect, undefined));
    expect(refused).toMatchObject({ code: "file_row_invalid", details: { line: 262_144, text: value } });
    await writeFile(path, `${before}${value.replace('" "', "   ")}\n`);
    await refuseReopenedQuotes(await readCsvHead({ files: nodeFiles(), path }, dialect), dialect, undefined);
  },
);
