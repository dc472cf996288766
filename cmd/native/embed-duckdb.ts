import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import type { BunPlugin } from "bun";

import type { EmbeddedFile, EmbeddedLibrary } from "./load-native.ts";

const LIBRARY_FILE = /\.(node|so|dylib|dll)$/;
const LOADER = join(import.meta.dir, "load-native.ts");

/** The folder of DuckDB's bindings for a platform (`linux-x64`); `undefined` if they are not installed. */
export function findBindings(platform: string): string | undefined {
  try {
    return dirname(Bun.resolveSync(`@duckdb/node-bindings-${platform}/duckdb.node`, import.meta.dir));
  } catch (error) {
    if (error instanceof Error && /cannot find/i.test(error.message)) return undefined;
    throw error;
  }
}

/**
 * A build plugin that replaces `@duckdb/node-bindings` by a loader and the compressed libraries.
 *
 * @param bindings the folder of the bindings for the target platform
 * @param scratch a folder for the compressed files; needed until the build ends
 * @param level the level of zstd
 */
export function embedDuckDB(bindings: string, scratch: string, level: number): BunPlugin {
  return {
    name: "embed-duckdb",
    setup(build) {
      build.onResolve({ filter: /^@duckdb\/node-bindings$/ }, () => ({
        path: "duckdb",
        namespace: "native",
      }));
      build.onLoad({ filter: /.*/, namespace: "native" }, () => ({
        loader: "js",
        contents: loaderModule(compressLibrary(bindings, scratch, level)),
      }));
    },
  };
}

function compressLibrary(bindings: string, scratch: string, level: number): EmbeddedLibrary {
  mkdirSync(scratch, { recursive: true });
  const hash = createHash("sha256");
  const files = readdirSync(bindings)
    .filter((name) => LIBRARY_FILE.test(name))
    .toSorted()
    .map((name): EmbeddedFile => {
      const content = readFileSync(join(bindings, name));
      hash.update(name).update(content);
      const path = join(scratch, `${name}.zst`);
      writeFileSync(path, Bun.zstdCompressSync(content, { level }));
      return { name, path, sizeBytes: content.length };
    });
  return { hash: hash.digest("hex").slice(0, 16), files, entry: "duckdb.node" };
}

function loaderModule({ hash, files, entry }: EmbeddedLibrary): string {
  const text = JSON.stringify;
  const imports = files.map(
    (file, index) => `import file${index} from ${text(file.path)} with { type: "file" };`,
  );
  const entries = files.map(
    ({ name, sizeBytes }, index) => `{ name: ${text(name)}, path: file${index}, sizeBytes: ${sizeBytes} }`,
  );
  return [
    `import { loadNative } from ${text(LOADER)};`,
    ...imports,
    `module.exports = loadNative({ hash: ${text(hash)}, entry: ${text(entry)}, files: [${entries.join(", ")}] });`,
  ].join("\n");
}
