import { describe, expect, test } from "bun:test";

import manifest from "../../package.json" with { type: "json" };
import { AgnesError, errorCodes, type ErrorCode } from "../../lib/base/mod.ts";
import { linesInCode, linesInPage, optionsIn, scriptsIn, shellWords } from "../../tools/command-lines.ts";
import { knownOptions, offerProblems } from "../../tools/offers.ts";
import { errorExamples } from "../../tools/reference/error-details.ts";
import { sourceFiles } from "../../tools/source.ts";

const pages = sourceFiles([".md"]);
const code = sourceFiles([".ts"], ["lib/", "cmd/", "plugins/"]);

describe("offers", () => {
  test("offerProblems() finds that every command line in hints, help and docs can be typed", async () => {
    const lines = [...pages.flatMap(linesInPage), ...code.flatMap(linesInCode)];
    expect(lines.filter(({ isTyped }) => isTyped).length).toBeGreaterThan(100);
    expect(lines.filter(({ place }) => place.startsWith("lib/base/errors/")).length).toBeGreaterThan(15);
    expect(await offerProblems(lines)).toEqual([]);
  });

  test("every option that a hint or the guide mentions is one of a command", async () => {
    const known = await knownOptions();
    const texts = [
      ...sourceFiles([".md"], ["README.md", "docs/guide/"]),
      ...sourceFiles([".ts"], ["lib/", "plugins/"]),
    ];
    const mentioned = texts.flatMap(({ path, text }) => optionsIn(text).map((option) => ({ path, option })));
    expect(mentioned.length).toBeGreaterThan(40);
    expect(mentioned.filter(({ option }) => !known.has(option))).toEqual([]);
  });

  test("every command line in the hint of an error runs as it is printed", async () => {
    const hints = [...errorExamples()].flatMap(([code, { whole, least }]) =>
      code in errorCodes
        ? [whole, least].map((details) => ({
            path: code,
            text: new AgnesError(code as ErrorCode, details as never).hint,
          }))
        : [],
    );
    const lines = hints.flatMap(linesInPage).map((line) => ({ ...line, isTyped: true }));
    expect(lines.length).toBeGreaterThan(40);
    expect(await offerProblems(lines)).toEqual([]);
    // This command needs an option to change something.
    expect(lines.filter(({ text }) => /^agnes table update(?!.* --)/.test(text))).toEqual([]);
  });

  test("every npm script that a page names is in package.json", () => {
    const named = pages.flatMap(({ text }) => scriptsIn(text));
    expect(named).toContain("demo");
    expect(named.filter((name) => !(name in manifest.scripts))).toEqual([]);
    // `npm ci` puts no bun on the PATH.
    expect(pages.filter(({ text }) => /^bun /m.test(text)).map(({ path }) => path)).toEqual([]);
  });

  test("offerProblems() catches what cannot be typed", async () => {
    const problems = (text: string, isTyped = false) => offerProblems([{ place: "a.md", text, isTyped }]);
    for (const text of [
      "agnes describe TABLE",
      "agnes table lst",
      "agnes sync --fulll",
      "agnes query - --format xml",
      "agnes table register crm orders --mode remot",
      "agnes table show a b",
    ])
      expect(await problems(text)).toEqual([expect.stringContaining(`a.md offers \`${text}\`: `)]);
    expect(await problems("agnes table show", true)).toHaveLength(1);
    expect(await problems("agnes table", true)).toHaveLength(1);
    for (const text of ["agnes table show", "agnes table", "agnes COMMAND --help", "agnes sync SOURCE"])
      expect(await problems(text)).toEqual([]);
  });

  test("linesInPage() and linesInCode() find command lines wherever they are offered", () => {
    const page = "Run `agnes sync\nnow`.\n```sh\ncd x && agnes init y # makes it\nagnes query \\\n  -\n```\n";
    expect(linesInPage({ path: "a.md", text: page }).map(({ text }) => text)).toEqual([
      "agnes init y # makes it",
      "agnes query    -",
      "agnes sync now",
    ]);
    const text = [
      "/** See `agnes doctor`. */",
      "const hint = (d) => `Run \\`agnes sync ${d.x}\\`.`;",
      'const spec = { examples: ["source <(agnes complete bash)"] };',
      'say("Next: agnes sync");',
      "typed(`test ${name}`);",
    ].join("\n");
    expect(
      linesInCode({ path: "cmd/a.ts", text })
        .map((line) => line.text)
        .toSorted(),
    ).toEqual(["agnes complete bash)", "agnes doctor", "agnes sync", "agnes sync VALUE", "agnes test VALUE"]);
  });

  test("shellWords() takes quotes off and stops at comments, pipes and redirections", () => {
    expect(shellWords(`agnes query "SELECT \\"a b\\"" --as 'x y' > out # c`)).toEqual([
      "agnes",
      "query",
      'SELECT \\"a b\\"',
      "--as",
      "x y",
    ]);
    expect(shellWords("agnes complete bash)")).toEqual(["agnes", "complete", "bash"]);
    expect(shellWords("agnes a | head")).toEqual(["agnes", "a"]);
  });
});
