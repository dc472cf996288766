import { dirname, join } from "node:path";

import type { Files } from "../../lib/base/mod.ts";
import { PLUGINS_FOLDER } from "../../lib/plugins/mod.ts";

/** The folder of the declarations in `plugins/`. With this name it is not loaded as a plugin. */
const TYPES_FOLDER = ".types";

/** The compiler settings of plugins. `paths` resolves the declarations without a package. */
const TSCONFIG = `{
  "compilerOptions": {
    "target": "es2023",
    "lib": ["es2023", "esnext.disposable", "dom", "dom.iterable", "dom.asynciterable"],
    "module": "preserve",
    "moduleResolution": "bundler",
    "moduleDetection": "force",
    "allowImportingTsExtensions": true,
    "noEmit": true,
    "strict": true,
    "skipLibCheck": true,
    "types": [],
    "paths": {
      "agnes/kit": ["./.types/agnes/kit/public.d.ts"],
      "agnes/testing": ["./.types/agnes/testing/mod.d.ts"],
      "apache-arrow": ["./.types/apache-arrow/Arrow.node.d.ts"],
      "valibot": ["./.types/valibot/dist/index.d.mts"]
    }
  },
  "include": ["**/*.ts", ".types/runtime.d.ts"]
}
`;

/** The types of Bun and Node that a plugin and its test use, for workspaces without these types. */
const RUNTIME = `declare module "bun:test" {
  export function test(name: string, run: () => unknown, timeoutMs?: number): void;
}
`;

/**
 * Writes the declarations of the kit for editors of a workspace's plugins, without network access. The declarations are
 * those of this version and replace others. An existing `tsconfig.json` stays.
 *
 * @returns the paths that were written: `tsconfig.json` if it is new, and the folder of the declarations
 */
export async function writeTypes(files: Files, workspace: string): Promise<readonly string[]> {
  const folder = join(workspace, PLUGINS_FOLDER);
  const types = join(folder, TYPES_FOLDER);
  const { collectDeclarations } = await import("./collect-declarations.ts");
  const declarations = { ...(await collectDeclarations()), "runtime.d.ts": RUNTIME, ".gitignore": "*\n" };
  const made = new Set<string>();
  for (const [name, text] of Object.entries(declarations)) {
    const path = join(types, name);
    if (!made.has(dirname(path))) await files.makeDirectory(dirname(path));
    made.add(dirname(path));
    await files.write(path, text, { replace: true });
  }
  const config = join(folder, "tsconfig.json");
  if ((await files.stat(config)) !== null) return [types];
  await files.write(config, TSCONFIG);
  return [config, types];
}
