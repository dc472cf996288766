/** Builds the executable: `bun run build [--target linux-x64]… [--all] [--outfile FILE]`. */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { embedDuckDB, findBindings } from "./native/embed-duckdb.ts";
import { embedPackage } from "./native/embed-package.ts";
import { collectDeclarations, type Declarations } from "./types/collect-declarations.ts";
import { embedDeclarations } from "./types/embed-declarations.ts";

/** The platforms an executable can be built for, if DuckDB's bindings for them are installed. */
export const platforms = ["linux-x64", "linux-arm64", "darwin-arm64", "darwin-x64", "win32-x64"] as const;
export type Platform = (typeof platforms)[number];

/** The highest: 0.7 MB smaller than level 18, which takes two thirds of the time. */
const COMPRESSION_LEVEL = 22;

const ROOT = dirname(import.meta.dir);

/** Builds one program into one executable file. */
export async function buildExecutable(options: {
  readonly platform: Platform;
  readonly bindings: string;
  readonly outfile: string;
  /** Default: the command line. */
  readonly entry?: string;
  /** The level of zstd for DuckDB's libraries. Default: 22, which takes about a minute. */
  readonly compressionLevel?: number;
}): Promise<void> {
  const { compressionLevel = COMPRESSION_LEVEL } = options;
  // The bundler caches the listing of a folder, so files created later need a folder of their own.
  const [libraries, types, packages] = ["duckdb", "types", "packages"].map((name) =>
    mkdtempSync(join(tmpdir(), `agnes-build-${name}-`)),
  ) as [string, string, string];
  try {
    const result = await Bun.build({
      entrypoints: [options.entry ?? join(ROOT, "cmd/main.ts")],
      compile: {
        outfile: options.outfile,
        // The executable runs in folders of other programs and must not load their settings.
        autoloadDotenv: false,
        autoloadBunfig: false,
        // Plugins of a workspace may import packages installed there.
        autoloadPackageJson: true,
        ...(options.platform === hostPlatform() ? {} : { target: bunTarget(options.platform) }),
      },
      format: "esm",
      // Each command loads only its own chunk, so help starts fast.
      splitting: true,
      minify: true,
      bytecode: true,
      plugins: [
        embedDuckDB(options.bindings, libraries, compressionLevel),
        embedPackage({ name: "refa", exports: ["DFA", "JS", "NFA"], scratch: packages }),
        embedDeclarations(declarations, types),
      ],
    });
    if (!result.success) throw new AggregateError(result.logs, "cannot build the executable");
  } finally {
    for (const folder of [libraries, types, packages]) rmSync(folder, { recursive: true });
  }
}

let collected: Promise<Declarations> | undefined;

/** Collected once for the executables of all platforms. */
function declarations(): Promise<Declarations> {
  return (collected ??= collectDeclarations());
}

/** The current platform, as DuckDB names it. */
export function hostPlatform(): string {
  return `${process.platform}-${process.arch}`;
}

function bunTarget(platform: Platform): Bun.Build.CompileTarget {
  return `bun-${platform.replace("win32", "windows")}` as Bun.Build.CompileTarget;
}

async function main(): Promise<number> {
  const values = parseOptions();
  if (values === null) return 2;
  const wanted = values.all ? platforms : values.target;
  let built = 0;
  for (const name of wanted) {
    const platform = platforms.find((known) => known === name);
    if (platform === undefined) {
      console.error(`${name} is not a platform; choose one of ${platforms.join(", ")}`);
      return 2;
    }
    const bindings = findBindings(platform);
    if (bindings === undefined) {
      console.error(`${platform}: skipped, @duckdb/node-bindings-${platform} is not installed`);
      continue;
    }
    const outfile = resolve(values.outfile ?? join(ROOT, "dist", fileName(platform)));
    await buildExecutable({ platform, bindings, outfile });
    console.error(`${platform}: ${outfile} (${Math.round(statSync(outfile).size / 1e6)} MB)`);
    built++;
  }
  return built > 0 ? 0 : 1;
}

function parseOptions() {
  try {
    return parseArgs({
      options: {
        target: { type: "string", multiple: true, default: [hostPlatform()] },
        all: { type: "boolean", default: false },
        outfile: { type: "string" },
      },
    }).values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    console.error(`${error.message}\nusage: bun run build [--target PLATFORM]… [--all] [--outfile FILE]`);
    return null;
  }
}

function fileName(platform: Platform): string {
  const suffix = platform.startsWith("win32") ? ".exe" : "";
  return platform === hostPlatform() ? `agnes${suffix}` : `agnes-${platform}${suffix}`;
}

if (import.meta.main) process.exit(await main());
