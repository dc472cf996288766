import { readFile } from "node:fs/promises";
import { parseEnv } from "node:util";

import { fileError } from "../../lib/base/mod.ts";

/**
 * Reads variables from a file with lines `NAME=value` into the environment of the process. Variables of the environment
 * that the process started with have precedence.
 */
export class EnvFile {
  readonly #path: string;
  readonly #started: ReadonlySet<string>;
  #names: readonly string[] = [];

  constructor(path: string) {
    this.#path = path;
    this.#started = new Set(Object.keys(process.env));
  }

  /** Reads the file, also again. A variable that it no longer has is removed. @throws `file_failed` */
  async load(): Promise<void> {
    const text = await readFile(this.#path, "utf8").catch((error: unknown) => {
      throw fileError("read", this.#path, error as Error);
    });
    const variables = Object.entries(parseEnv(text)).filter(([name]) => !this.#started.has(name));
    for (const name of this.#names) delete process.env[name];
    for (const [name, value] of variables) process.env[name] = value;
    this.#names = variables.map(([name]) => name);
  }
}
