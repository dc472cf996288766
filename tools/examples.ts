import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { PublicSymbol } from "./reference/modules.ts";
import { ROOT, type SourceFile } from "./source.ts";

/** One piece of TypeScript that someone may copy, and where it stands. */
export interface Example {
  readonly place: string;
  readonly code: string;
}

/** The examples in the docstrings of public symbols. */
export function docstringExamples(symbols: readonly PublicSymbol[]): readonly Example[] {
  return symbols.flatMap(({ path, name, doc }) =>
    codeBlocks(doc).map((code) => ({ place: `${path}: ${name}`, code })),
  );
}

/** The TypeScript in Markdown pages. */
export function pageExamples(pages: readonly SourceFile[]): readonly Example[] {
  return pages.flatMap(({ path, text }) => codeBlocks(text).map((code) => ({ place: path, code })));
}

/** The errors of the compiler for examples, each as a separate module; empty without errors. */
export function exampleErrors(examples: readonly Example[]): readonly string[] {
  mkdirSync(join(ROOT, "dist"), { recursive: true });
  const folder = mkdtempSync(join(ROOT, "dist", "examples-"));
  try {
    for (const [index, { code }] of examples.entries()) {
      writeFileSync(join(folder, `example-${index}.ts`), `${code}\nexport {};\n`);
    }
    const options = { noUnusedLocals: false, noUnusedParameters: false };
    const tsconfig = { extends: "../../tsconfig.json", compilerOptions: options, include: ["."] };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(tsconfig));
    const tsc = join(ROOT, "node_modules/.bin/tsc");
    const { status, stdout } = spawnSync(tsc, ["-p", folder, "--pretty", "false"], {
      cwd: folder,
      encoding: "utf8",
    });
    if (status === null) throw new Error("the compiler was stopped before it had checked the examples");
    return (
      stdout
        .split("\n")
        .filter((line) => line.includes("error TS"))
        // A file beside the example is the reader's own.
        .filter((line) => !/error TS2307: Cannot find module '\.{1,2}\//.test(line))
        .map((line) =>
          line.replace(/^.*?example-(\d+)\.ts/, (_all, index: string) => examples[Number(index)]!.place),
        )
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function codeBlocks(text: string): readonly string[] {
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map((match) => match[1]!);
}
