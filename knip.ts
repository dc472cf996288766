import type { KnipConfig } from "knip";

/** A function that its own file uses may be exported for its tests; everything else that only tests use is unused. */
const isProduction = process.argv.includes("--production");

/** `!` marks the product: the entries and files of `knip --production`. */
const config: KnipConfig = {
  entry: [
    "lib/mod.ts!",
    "lib/kit/public.ts!",
    "lib/catalog/public.ts!",
    "lib/testing/mod.ts!",
    // Programs: the pool and a sync start them in processes of their own.
    "lib/query/workers/entry.ts!",
    "lib/sync-process-entry.ts!",
    // The server that receives pushed events will use it.
    "lib/push/mod.ts!",
    "plugins/*/plugin.ts!",
    "cmd/commands/**/*.ts!",
    "cmd/main.ts!",
    "cmd/build.ts!",
    "tools/*.ts!",
    "bench/*.ts",
    "tests/**/*.ts",
  ],
  project: [
    "lib/**/*.ts!",
    "plugins/**/*.ts!",
    "cmd/**/*.ts!",
    "tools/**/*.ts!",
    "bench/**/*.ts",
    "tests/**/*.ts",
  ],
  ignoreExportsUsedInFile: isProduction ? { function: true, class: true } : false,
  ignoreBinaries: ["mkfifo", "mount", "umount"],
  paths: {
    agnes: ["./lib/mod.ts"],
    "agnes/kit": ["./lib/kit/public.ts"],
    "agnes/catalog": ["./lib/catalog/public.ts"],
    "agnes/testing": ["./lib/testing/mod.ts"],
    "agnes/plugins/*": ["./plugins/*/plugin.ts"],
  },
};

export default config;
