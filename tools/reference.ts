/** Writes `docs/reference/` from the code; with `--check`, reports the drifted pages and fails. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { commandsPage } from "./reference/commands.ts";
import { configurationPage } from "./reference/configuration.ts";
import { errorsPage } from "./reference/errors.ts";
import { httpPage } from "./reference/http.ts";
import { modulePage } from "./reference/modules.ts";
import { pluginsPage } from "./reference/plugins.ts";
import { ROOT } from "./source.ts";

/** Every page of the reference: its path from the root, and its text. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ["docs/reference/library.md", modulePage("agnes", "lib/mod.ts")],
    ["docs/reference/kit.md", modulePage("agnes/kit", "lib/kit/public.ts")],
    ["docs/reference/catalog.md", modulePage("agnes/catalog", "lib/catalog/public.ts")],
    ["docs/reference/testing.md", modulePage("agnes/testing", "lib/testing/mod.ts")],
    ["docs/reference/errors.md", await errorsPage()],
    ["docs/reference/configuration.md", configurationPage()],
    ["docs/reference/plugins.md", await pluginsPage()],
    ["docs/reference/http.md", await httpPage()],
    ["docs/reference/commands.md", await commandsPage()],
  ]);
}

/** The pages whose file differs from the code. */
export function driftedPages(
  pages: ReadonlyMap<string, string>,
  read: (path: string) => string | undefined,
): readonly string[] {
  return [...pages].filter(([path, text]) => read(path) !== text).map(([path]) => path);
}

function readPage(path: string): string | undefined {
  try {
    return readFileSync(join(ROOT, path), "utf8");
  } catch {
    return undefined; // A missing page has drifted, too.
  }
}

if (import.meta.main) {
  const pages = await referencePages();
  const drifted = driftedPages(pages, readPage);
  if (process.argv.includes("--check")) {
    for (const path of drifted) console.error(`${path} has drifted from the code: run \`bun run reference\``);
    process.exit(drifted.length > 0 ? 1 : 0);
  }
  for (const path of drifted) {
    mkdirSync(dirname(join(ROOT, path)), { recursive: true });
    writeFileSync(join(ROOT, path), pages.get(path)!);
    console.log(path);
  }
}
