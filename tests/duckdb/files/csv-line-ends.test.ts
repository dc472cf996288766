import { expect, test } from "bun:test";
import { gzipSync } from "node:zlib";

import { readTable } from "./support.ts";

test.each(["\n", "\r\n"])(
  "a CSV file whose records end with %j may have any line end in quotes",
  async (end) => {
    for (const names of [["a"], ["a", "b"]]) {
      const csv = { delimiter: ",", header: false, names };
      for (const inside of ["\r", "x\r\ny", "\n"]) {
        const rows = [inside, "other"].map((value) => names.map(() => value));
        const text = rows.map((row) => row.map((value) => `"${value}"`).join(",") + end).join("");
        const read = await readTable({ "t.csv": text, "u.csv.gz": gzipSync(text) }, { csv });
        expect(read.rows).toEqual([...rows, ...rows]);
      }
    }
  },
);
