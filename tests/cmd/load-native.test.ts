import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { unpackLibrary, type EmbeddedLibrary } from "../../cmd/native/load-native.ts";
import { temporaryDirectory } from "./run-cli.ts";

function libraryIn(directory: string): EmbeddedLibrary {
  const content = Buffer.from("a native library".repeat(1000));
  const path = join(directory, "library.zst");
  writeFileSync(path, Bun.zstdCompressSync(content));
  return {
    hash: "0123456789abcdef",
    entry: "library.node",
    files: [{ name: "library.node", path, sizeBytes: content.length }],
  };
}

describe("unpackLibrary()", () => {
  test("unpackLibrary() writes each file whole into the cache of the user", () => {
    using directory = temporaryDirectory();
    const library = libraryIn(directory.path);
    const unpacked = unpackLibrary(library, { XDG_CACHE_HOME: join(directory.path, "cache") });
    expect(unpacked).toBe(join(directory.path, "cache", "agnes", "duckdb-0123456789abcdef"));
    expect(readdirSync(unpacked)).toEqual(["library.node"]);
    expect(readFileSync(join(unpacked, "library.node"), "utf8")).toStartWith("a native library");
  });

  test("unpackLibrary() leaves a whole file alone and replaces a torn one", () => {
    using directory = temporaryDirectory();
    const library = libraryIn(directory.path);
    const env = { XDG_CACHE_HOME: directory.path };
    const path = join(unpackLibrary(library, env), "library.node");
    const before = statSync(path).ino;
    unpackLibrary(library, env);
    expect(statSync(path).ino).toBe(before);
    writeFileSync(path, "a nat");
    unpackLibrary(library, env);
    expect(statSync(path).size).toBe(library.files[0]!.sizeBytes);
  });

  test("unpackLibrary() goes to the temporary folder when there is no home or it cannot be written to", () => {
    using directory = temporaryDirectory();
    const library = libraryIn(directory.path);
    // A file in place of the folder: not even root can write there.
    writeFileSync(join(directory.path, "taken"), "");
    for (const env of [{}, { HOME: "" }, { XDG_CACHE_HOME: join(directory.path, "taken") }]) {
      const unpacked = unpackLibrary(library, { ...env }, directory.path);
      expect(unpacked).toStartWith(join(directory.path, "agnes-"));
      expect(readdirSync(unpacked)).toEqual(["library.node"]);
    }
  });

  test("unpackLibrary() never uses a shared folder that others may write to", () => {
    using directory = temporaryDirectory();
    const library = libraryIn(directory.path);
    const shared = join(directory.path, `agnes-${process.getuid!()}`);
    mkdirSync(join(shared, "duckdb-0123456789abcdef"), { recursive: true });
    chmodSync(shared, 0o777);
    const evil = join(shared, "duckdb-0123456789abcdef", "library.node");
    writeFileSync(evil, Buffer.alloc(library.files[0]!.sizeBytes));
    const unpacked = unpackLibrary(library, {}, directory.path);
    expect(unpacked).not.toStartWith(`${shared}/`);
    expect(readFileSync(join(unpacked, "library.node"), "utf8")).toStartWith("a native library");
  });

  test("unpackLibrary() gives every process a whole file when several start at once", async () => {
    using directory = temporaryDirectory();
    const library = libraryIn(directory.path);
    const script = join(directory.path, "unpack.ts");
    const module = join(import.meta.dir, "..", "..", "cmd", "native", "load-native.ts");
    writeFileSync(
      script,
      `import { unpackLibrary } from ${JSON.stringify(module)};
       import { readFileSync } from "node:fs";
       const path = unpackLibrary(${JSON.stringify(library)}, { XDG_CACHE_HOME: ${JSON.stringify(join(directory.path, "c"))} });
       process.exit(readFileSync(path + "/library.node").length === ${library.files[0]!.sizeBytes} ? 0 : 1);`,
    );
    const children = Array.from({ length: 6 }, () => Bun.spawn([process.execPath, script]));
    expect(await Promise.all(children.map((child) => child.exited))).toEqual([0, 0, 0, 0, 0, 0]);
    expect(readdirSync(join(directory.path, "c", "agnes", "duckdb-0123456789abcdef"))).toEqual([
      "library.node",
    ]);
  });
});
