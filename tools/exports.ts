/** Where the exports map, the paths of the compiler and the folders disagree. */
export function exportViolations(
  exports: Readonly<Record<string, { readonly types: string; readonly default: string }>>,
  paths: Readonly<Record<string, readonly string[]>>,
  plugins: readonly string[],
  exists: (path: string) => boolean,
): readonly string[] {
  const found: string[] = [];
  for (const [entry, target] of Object.entries(exports)) {
    const source = sourceOf(target.default);
    if (target.types.replace(/\.d\.ts$/, ".js") !== target.default) {
      found.push(`${entry} has types ${target.types} for ${target.default}`);
    }
    if (!source.includes("*") && !exists(source))
      found.push(`${entry} is exported, but ${source} does not exist`);
    const specifier = `agnes${entry.slice(1)}`;
    if (paths[specifier]?.[0] !== `./${source}`) {
      found.push(`${entry} is exported, but tsconfig.json gives ${specifier} no path`);
    }
  }
  for (const specifier of Object.keys(paths)) {
    const entry = specifier.replace(/^agnes/, ".");
    if (!(entry in exports)) found.push(`tsconfig.json gives ${specifier} a path, but it is not exported`);
  }
  for (const plugin of plugins) {
    if (!exists(`plugins/${plugin}/plugin.ts`)) found.push(`plugins/${plugin} has no plugin.ts`);
  }
  return found;
}

function sourceOf(built: string): string {
  return built.replace("./dist/", "").replace(/\.js$/, ".ts");
}
