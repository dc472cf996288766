import { readFile } from "node:fs/promises";
import { parseEnv } from "node:util";

import { AgnesError, fileError, type Log } from "../../lib/base/mod.ts";

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

  /**
   * Reads the file, also again. A variable that it no longer has is removed. A line that sets no variable is a warning.
   * @throws `file_failed`
   */
  async load(log: Log): Promise<void> {
    const text = await readFile(this.#path, "utf8").catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") {
        const reason = "the file does not exist";
        throw new AgnesError(
          "file_failed",
          { operation: "read", path: this.#path, reason },
          { cause: error },
        );
      }
      throw fileError("read", this.#path, error as Error);
    });
    // The content of a line can be a secret.
    for (const line of linesWithoutVariable(text))
      log.warn("a line of the env file is ignored because it has no `=`", { file: this.#path, line });
    const variables = Object.entries(parseEnv(text)).filter(([name]) => !this.#started.has(name));
    for (const name of this.#names) delete process.env[name];
    for (const [name, value] of variables) process.env[name] = value;
    this.#names = variables.map(([name]) => name);
  }
}

/** The numbers of the lines that are no variable, comment, empty line or part of a quoted value. */
function linesWithoutVariable(text: string): readonly number[] {
  const lines = text.split(/\r?\n/);
  const found: number[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!.trim();
    if (line === "" || line.startsWith("#")) continue;
    if (!line.includes("=")) found.push(at + 1);
    const { quote, rest } = /^[^=]*=\s*(?<quote>["'`])(?<rest>.*)$/.exec(line)?.groups ?? {};
    if (quote === undefined || rest!.includes(quote)) continue;
    const end = lines.findIndex((later, index) => index > at && later.includes(quote));
    if (end !== -1) at = end;
  }
  return found;
}
