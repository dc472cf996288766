import { fileURLToPath } from "node:url";

/** A position in a file. Lines and columns start at 1. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/**
 * Returns the position at which loading a plugin failed: the syntax error, the statement that threw, or the name of a
 * missing package or export.
 *
 * @param file the file of the plugin
 * @param text the content of the file
 */
export function positionOf(thrown: unknown, file: string, text: string): Position | undefined {
  return ofCompiler(thrown) ?? ofStack(thrown, file) ?? ofName(thrown, file, text);
}

/** Returns the position of the first occurrence of a text in a file; `undefined` if there is none. */
export function positionIn(file: string, text: string, part: string): Position | undefined {
  const at = text.indexOf(part);
  if (at === -1) return undefined;
  const before = text.slice(0, at).split("\n");
  return { file, line: before.length, column: before.at(-1)!.length + 1 };
}

/** Returns the thrown value, or the first error of an aggregate, because "4 errors building …" describes none of them. */
export function firstError(thrown: unknown): unknown {
  let first = thrown;
  // Aggregates may contain each other.
  for (let depth = 0; depth < 10 && typeof first === "object" && first !== null; depth += 1) {
    const { errors } = first as { readonly errors?: unknown };
    if (!Array.isArray(errors) || errors.length === 0) break;
    [first] = errors as unknown[];
  }
  return first;
}

/** Returns the position of a compiler error of Bun; of several errors, the first. */
function ofCompiler(thrown: unknown): Position | undefined {
  const first = firstError(thrown);
  if (typeof first !== "object" || first === null) return undefined;
  const { position } = first as { readonly position?: unknown };
  if (typeof position !== "object" || position === null) return undefined;
  const { file, line, column } = position as Partial<Position>;
  return typeof file === "string" && typeof line === "number" && typeof column === "number"
    ? { file, line, column }
    : undefined;
}

/** Returns the innermost call in a file of the plugin. Calls in packages or the runtime are skipped. */
function ofStack(thrown: unknown, file: string): Position | undefined {
  const stack = thrown instanceof Error ? (thrown.stack ?? "") : "";
  const frames = [
    ...stack.matchAll(/^\s*at .*?\(?((?:file:\/\/|\/|[A-Za-z]:[\\/])[^()\n]+?):(\d+):(\d+)\)?$/gm),
  ];
  const positions = frames.map(([, path, line, column]) => ({
    file: path!.startsWith("file://") ? fileURLToPath(path!) : path!,
    line: Number(line),
    column: Number(column),
  }));
  const folder = file.slice(0, Math.max(file.lastIndexOf("/"), file.lastIndexOf("\\")) + 1);
  return positions.find(
    (position) => position.file.startsWith(folder) && !position.file.includes("node_modules"),
  );
}

/** Returns the position of a missing package or export, which the message and the file both quote. */
function ofName(thrown: unknown, file: string, text: string): Position | undefined {
  const message = typeof thrown === "object" && thrown !== null && "message" in thrown ? thrown.message : "";
  const names = [...String(message).matchAll(/['"]([^'"]+)['"]/g)].map(([, name]) => name!);
  return names.map((name) => positionIn(file, text, name)).find((position) => position !== undefined);
}
