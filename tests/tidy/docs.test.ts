import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { bundledPlugins } from "../../cmd/plugins.ts";
import { errorCodes } from "../../lib/base/mod.ts";
import { brokenLinks, undocumented } from "../../tools/docs.ts";
import { driftedPages, referencePages } from "../../tools/reference.ts";
import { declared, publicSymbols } from "../../tools/reference/modules.ts";
import { ROOT, sourceFiles } from "../../tools/source.ts";

describe("docs", () => {
  test("brokenLinks() finds none in the repository", () => {
    const pages = sourceFiles([".md"]);
    expect(pages.length).toBeGreaterThan(5);
    expect(brokenLinks(pages, (path) => existsSync(join(ROOT, path)))).toEqual([]);
  });

  test("brokenLinks() catches a link to nothing and leaves code alone", () => {
    const page = { path: "docs/a.md", text: "[x](none.md) `[y](code.md)` [z](https://example.com)" };
    expect(brokenLinks([page], () => false)).toEqual(["docs/a.md links to none.md, which does not exist"]);
  });

  test("ARCHITECTURE.md names only files and folders that exist", () => {
    const paths = readFileSync(join(ROOT, "ARCHITECTURE.md"), "utf8").match(
      /\b(?:lib|tests|tools)\/[\w./-]*\w\/?/g,
    )!;
    expect(paths.length).toBeGreaterThan(20);
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  test("the drawing in ARCHITECTURE.md names each file by its full path", () => {
    const drawing = /```([\s\S]*?)```/.exec(readFileSync(join(ROOT, "ARCHITECTURE.md"), "utf8"))![1]!;
    const files = drawing.match(/[\w./-]+\.ts\b/g)!;
    expect(files.length).toBeGreaterThan(15);
    expect(files.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  test("driftedPages() finds no difference between docs/reference and the code", async () => {
    const read = (path: string) =>
      existsSync(join(ROOT, path)) ? readFileSync(join(ROOT, path), "utf8") : undefined;
    expect(driftedPages(await referencePages(), read)).toEqual([]);
  });

  test("referencePages() holds no value that could not be worked out, and no placeholder", async () => {
    for (const [path, text] of await referencePages()) {
      const prose = text.replace(/```[\s\S]*?```/g, "").replace(/`[^`\n]*`/g, "");
      const odd = prose.match(/.{0,60}(NaN|undefined|\[object|[‹›]|\bnull (null|is)\b).{0,60}/g) ?? [];
      expect([path, odd]).toEqual([path, []]);
    }
    const errors = (await referencePages()).get("docs/reference/errors.md")!;
    const rows = errors.split("\n").filter((line) => line.startsWith("| `"));
    const ofPlugins = (await bundledPlugins()).flatMap((plugin) => Object.values(plugin.errors ?? {}));
    expect(ofPlugins.length).toBeGreaterThan(5);
    expect(rows).toHaveLength(Object.keys(errorCodes).length + ofPlugins.length);
    // An empty message or hint, or one that ends where a value should stand.
    expect(rows.filter((line) => /\|\s*\||: *\|/.test(line))).toEqual([]);
    expect(errors).not.toMatch(/NaN|undefined/);
  });

  test("driftedPages() catches a page that differs and one that is missing", () => {
    const pages = new Map([
      ["a.md", "new"],
      ["b.md", "same"],
      ["c.md", "absent"],
    ]);
    const read = (path: string) => ({ "a.md": "old", "b.md": "same" })[path];
    expect(driftedPages(pages, read)).toEqual(["a.md", "c.md"]);
  });

  for (const face of ["lib/mod.ts", "lib/kit/public.ts", "lib/catalog/public.ts", "lib/testing/mod.ts"]) {
    test(`undocumented() finds nothing in ${face}`, () => {
      const symbols = publicSymbols(face);
      expect(symbols.length).toBeGreaterThan(3);
      expect(undocumented(symbols)).toEqual([]);
    });
  }

  test("declared() keeps the docstrings of a class's members and leaves private members out", () => {
    const text =
      "export class A {\n  #x = 1;\n  /** Returns b. */\n  b(): number {\n    return this.#x;\n  }\n}";
    expect(declared("a.ts", "A", text).signature).toBe("class A {\n  /** Returns b. */\n  b(): number\n}");
  });

  test("undocumented() catches a missing docstring and a missing example", () => {
    const bare = declared("a.ts", "a", "export function a() {}");
    const plain = declared("a.ts", "b", "/** Gives b. */\nexport function b() {}");
    const arrow = declared("a.ts", "d", "/** Gives d. */\nexport const d = () => 1;");
    const good = declared("a.ts", "c", "/** Gives c.\n * @example\n * c() */\nexport function c() {}");
    expect(undocumented([bare, plain, arrow, good])).toEqual([
      "a.ts: a has no docstring",
      "a.ts: b has no example",
      "a.ts: d has no example",
    ]);
  });
});
