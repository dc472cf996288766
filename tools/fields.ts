import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { ROOT } from "./source.ts";

/** The declaration of the type whose fields must have readers, and what it becomes. */
const SCHEMA = "lib/tables/record/settings.ts";
const KEYS = "[K in keyof Checked]: ";
const NO_KEYS = "[K in keyof Checked as never]: ";

/** Code that handles every field alike, or only checks, stores and transports it: no reader of a field. */
const NO_READERS =
  /^lib\/tables\/(record|projections)\/|^lib\/tables\/(import|history|stored)\.ts$|^cmd\/tables\/fields\.ts$/;

/**
 * The places that read each field of the table registry by its name, found by the compiler: it is asked to compile the
 * code with a record that has no fields.
 */
export function fieldReaders(): ReadonlyMap<string, readonly string[]> {
  mkdirSync(join(ROOT, "dist"), { recursive: true });
  const folder = mkdtempSync(join(ROOT, "dist", "fields-"));
  try {
    for (const part of ["lib", "cmd"]) cpSync(join(ROOT, part), join(folder, part), { recursive: true });
    const schema = readFileSync(join(folder, SCHEMA), "utf8");
    if (!schema.includes(KEYS)) throw new Error(`${SCHEMA} does not declare its fields by ${KEYS}`);
    writeFileSync(join(folder, SCHEMA), schema.replace(KEYS, NO_KEYS));
    const tsconfig = { extends: "../../tsconfig.json", include: ["lib", "cmd/commands"] };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(tsconfig));
    const tsc = join(ROOT, "node_modules/.bin/tsc");
    const { stdout } = spawnSync(tsc, ["-p", folder, "--pretty", "false"], { cwd: folder, encoding: "utf8" });
    return readersIn(stdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The fields that errors of the compiler name, each with the files that read it. */
export function readersIn(errors: string): ReadonlyMap<string, readonly string[]> {
  const pattern =
    /^(.+?)\(\d+,\d+\): error TS(?:2339|2551): Property '(\w+)' does not exist on type '(?:TableRecord|TableSettings|RegisteredTable|TableRow)\b/gm;
  const readers = new Map<string, string[]>();
  for (const [, path, field] of errors.matchAll(pattern)) {
    if (!NO_READERS.test(path!)) readers.set(field!, [...(readers.get(field!) ?? []), path!]);
  }
  return readers;
}

/** The fields that no code reads. */
export function unreadFields(
  fields: readonly string[],
  readers: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  return fields.filter((field) => !readers.has(field)).map((field) => `no code reads ${field}`);
}
