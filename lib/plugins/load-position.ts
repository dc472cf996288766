import { fileURLToPath } from "node:url";

/** A place in a file, counted from 1. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/**
 * Where loading a plugin failed: where its text is wrong, where it threw, or where it names what is not there.
 *
 * @param file the plugin
 * @param text what the file holds
 */
export function positionOf(thrown: unknown, file: string, text: string): Position | undefined {
  return ofCompiler(thrown) ?? ofStack(thrown, file) ?? ofName(thrown, file, text);
}

/** Where a text occurs first in a file; `undefined` when it does not. */
export function positionIn(file: string, text: string, part: string): Position | undefined {
  const at = text.indexOf(part);
  if (at === -1) return undefined;
  const before = text.slice(0, at).split("\n");
  return { file, line: before.length, column: before.at(-1)!.length + 1 };
}

/** What was thrown, or the first of several errors that it stands for: "4 errors building …" names none. */
export function firstError(thrown: unknown): unknown {
  let first = thrown;
  // Errors may stand for one another.
  for (let depth = 0; depth < 10 && typeof first === "object" && first !== null; depth += 1) {
    const { errors } = first as { readonly errors?: unknown };
    if (!Array.isArray(errors) || errors.length === 0) break;
    [first] = errors as unknown[];
  }
  return first;
}

/** Bun's compiler says where; with several errors the first counts. */
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

/** The innermost call in a file of the plugin; one in a package or in the runtime says little. */
function ofStack(thrown: unknown, file: string): Position | undefined {
  const stack = thrown instanceof Error ? (thrown.stack ?? "") : "";
  const frames = [
    ...stack.matchAll(/^\s*at .*?\(?((?:file:\/\/|\/|[A-Za-z]:[\\/])[^()\n]+?):(\d+):(\d+)\)?$/gm),
  ];
  const places = frames.map(([, path, line, column]) => ({
    file: path!.startsWith("file://") ? fileURLToPath(path!) : path!,
    line: Number(line),
    column: Number(column),
  }));
  const folder = file.slice(0, Math.max(file.lastIndexOf("/"), file.lastIndexOf("\\")) + 1);
  return places.find((place) => place.file.startsWith(folder) && !place.file.includes("node_modules"));
}

/** A package or an export that is not there is named in quotes, and so is it in the file. */
function ofName(thrown: unknown, file: string, text: string): Position | undefined {
  const message = typeof thrown === "object" && thrown !== null && "message" in thrown ? thrown.message : "";
  const names = [...String(message).matchAll(/['"]([^'"]+)['"]/g)].map(([, name]) => name!);
  return names.map((name) => positionIn(file, text, name)).find((place) => place !== undefined);
}
