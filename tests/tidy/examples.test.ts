import { describe, expect, test } from "bun:test";

import { docstringExamples, exampleErrors, pageExamples } from "../../tools/examples.ts";
import { publicSymbols } from "../../tools/reference/modules.ts";
import { sourceFiles } from "../../tools/source.ts";

const faces = ["lib/mod.ts", "lib/kit/public.ts", "lib/catalog/public.ts", "lib/testing/mod.ts"];

describe("examples", () => {
  test("exampleErrors() finds none in public docstrings, the README and the guide", () => {
    const examples = [
      ...docstringExamples(faces.flatMap((face) => publicSymbols(face))),
      ...pageExamples(sourceFiles([".md"], ["README.md", "docs/guide/"])),
    ];
    expect(examples.length).toBeGreaterThan(20);
    expect(exampleErrors(examples)).toEqual([]);
  });

  test("exampleErrors() names the place of one that does not compile", () => {
    const examples = [
      { place: "good", code: 'import { isAgnesError } from "agnes";\nisAgnesError(1);' },
      { place: "bad", code: 'import { isAgnesError } from "agnes";\nisAgnesError(1, 2);' },
    ];
    const [error, ...more] = exampleErrors(examples);
    expect(error).toStartWith("bad(2,17): error TS");
    expect(more).toEqual([]);
  });
});
