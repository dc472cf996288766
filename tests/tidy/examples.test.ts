import { describe, expect, test } from "bun:test";

import { docstringExamples, exampleErrors, pageExamples } from "../../tools/examples.ts";
import { publicSymbols } from "../../tools/reference/modules.ts";
import { sourceFiles } from "../../tools/source.ts";

const faces = ["lib/mod.ts", "lib/kit/mod.ts", "lib/catalog/mod.ts", "lib/testing/mod.ts"];

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
      { place: "good", code: 'import { createHost } from "agnes";\ncreateHost();' },
      { place: "bad", code: 'import { createHost } from "agnes";\ncreateHost(1);' },
    ];
    const [error, ...more] = exampleErrors(examples);
    expect(error).toStartWith("bad(2,12): error TS");
    expect(more).toEqual([]);
  });
});
