import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";

const ROOT = join(import.meta.dir, "../..");

/** Declarations for authors of plugins, by path. */
export type Declarations = Readonly<Record<string, string>>;

/**
 * The declarations of `agnes/kit` and `agnes/testing`, and of the packages they reference. Runs the compiler; the
 * executable contains its output instead.
 */
export async function collectDeclarations(): Promise<Declarations> {
  const scratch = mkdtempSync(join(tmpdir(), "agnes-types-"));
  try {
    const options = ["-p", "tsconfig.build.json", "--emitDeclarationOnly", "--outDir", scratch];
    execFileSync(join(ROOT, "node_modules/.bin/tsc"), options, { cwd: ROOT });
    const lib = join(scratch, "lib");
    const valibot = join(ROOT, "node_modules/valibot");
    const arrow = join(ROOT, "node_modules/apache-arrow");
    return {
      ...filesFrom("agnes", lib, ["kit/public.d.ts", "testing/mod.d.ts"]),
      ...filesFrom("apache-arrow", arrow, ["Arrow.node.d.ts"]),
      ...filesFrom("valibot", valibot, ["dist/index.d.mts"]),
      "agnes/LICENSE": readFileSync(join(ROOT, "LICENSE"), "utf8"),
      "apache-arrow/LICENSE.txt": readFileSync(join(arrow, "LICENSE.txt"), "utf8"),
      "valibot/LICENSE.md": readFileSync(join(valibot, "LICENSE.md"), "utf8"),
    };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Files of a folder and their imports from that folder, under a name. */
function filesFrom(name: string, folder: string, entries: readonly string[]): Declarations {
  const found = new Map<string, string>();
  const open = entries.map((entry) => join(folder, entry));
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (found.has(path)) continue;
    const text = readFileSync(path, "utf8");
    found.set(path, text);
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
    for (const [, specifier] of code.matchAll(/(?:from|import)\s*\(?\s*["'](\.[^"']+)["']/g)) {
      const target = declarationOf(join(dirname(path), specifier!));
      if (target === undefined) throw new Error(`${path} imports ${specifier}, which has no declarations`);
      open.push(target);
    }
  }
  return Object.fromEntries([...found].map(([path, text]) => [`${name}/${relative(folder, path)}`, text]));
}

function declarationOf(path: string): string | undefined {
  const candidates = [
    path.replace(/\.m?[jt]s$/, (ending) => `.d${ending.replace("j", "t")}`),
    `${path}.d.ts`,
  ];
  return candidates.find((one) => statSync(one, { throwIfNoEntry: false })?.isFile() === true);
}
