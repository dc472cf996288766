import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { BunPlugin } from "bun";

/**
 * A build plugin that embeds the code of a CommonJS package compressed, because its bytecode takes several times its size.
 * The code is decompressed and parsed when it is first imported.
 *
 * @param options.name a package of one file that imports nothing
 * @param options.exports the names that are imported from it
 * @param options.scratch a folder for the compressed file; needed until the build ends
 */
export function embedPackage(options: {
  readonly name: string;
  readonly exports: readonly string[];
  readonly scratch: string;
}): BunPlugin {
  const { name, exports, scratch } = options;
  return {
    name: `embed-${name}`,
    setup(build) {
      build.onResolve({ filter: new RegExp(`^${name}$`) }, () => ({ path: name, namespace: "package" }));
      build.onLoad({ filter: /.*/, namespace: "package" }, () => {
        const code = readFileSync(Bun.resolveSync(name, import.meta.dir));
        const path = join(scratch, `${name}.js.zst`);
        writeFileSync(path, Bun.zstdCompressSync(code, { level: 19 }));
        return {
          loader: "js",
          contents: [
            `import path from ${JSON.stringify(path)} with { type: "file" };`,
            "const code = new TextDecoder().decode(Bun.zstdDecompressSync(await Bun.file(path).bytes()));",
            "const loaded = {};",
            'new Function("exports", code)(loaded);',
            ...exports.map((one) => `export const ${one} = loaded.${one};`),
          ].join("\n"),
        };
      });
    },
  };
}
