import { writeFileSync } from "node:fs";
import { join } from "node:path";

import type { BunPlugin } from "bun";

import type { Declarations } from "./collect-declarations.ts";

/**
 * A build plugin that embeds declarations in the executable, instead of the compiler that creates them.
 *
 * @param collect creates the declarations; called only for a program that uses them
 * @param scratch an empty folder for the compressed file; needed until the build ends
 */
export function embedDeclarations(collect: () => Promise<Declarations>, scratch: string): BunPlugin {
  return {
    name: "embed-declarations",
    setup(build) {
      build.onLoad({ filter: /[\\/]collect-declarations\.ts$/ }, async () => {
        const path = join(scratch, "declarations.json.zst");
        writeFileSync(path, Bun.zstdCompressSync(JSON.stringify(await collect()), { level: 19 }));
        return {
          loader: "js",
          contents: [
            `import path from ${JSON.stringify(path)} with { type: "file" };`,
            "export async function collectDeclarations() {",
            "  const bytes = Bun.zstdDecompressSync(await Bun.file(path).bytes());",
            "  return JSON.parse(new TextDecoder().decode(bytes));",
            "}",
          ].join("\n"),
        };
      });
    },
  };
}
