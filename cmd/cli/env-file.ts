import { readFile } from "node:fs/promises";
import { parseEnv } from "node:util";

import { AgnesError, fileError } from "../../lib/base/mod.ts";

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
   * Reads the file, also again. A variable that it no longer has is removed. If a line is malformed, nothing changes.
   * @throws `file_failed`, `env_file_malformed`
   */
  async load(): Promise<void> {
    const bytes = await readFile(this.#path).catch((error: unknown) => {
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
    // Removes a byte order mark.
    const text = new TextDecoder().decode(bytes);
    const malformed = malformedLine(text);
    if (malformed !== null) throw new AgnesError("env_file_malformed", { path: this.#path, ...malformed });
    const variables = Object.entries(parseEnv(text)).filter(([name]) => !this.#started.has(name));
    for (const name of this.#names) delete process.env[name];
    for (const [name, value] of variables) process.env[name] = value;
    this.#names = variables.map(([name]) => name);
  }
}

const VARIABLE = /^(?:export\s+)?(?<name>[^=]*?)\s*=\s*(?<value>.*)$/s;
const NAME = /^[A-Za-z_][\w.-]*$/;
/** `parseEnv` ignores a line with a space outside ASCII, such as a no-break space, beside its name. */
const STARTS_WITH_ASCII = /^[^\u0080-\uffff]*?=/;
/** A quoted value up to its closing quote, possibly on a later line, with the rest of that line. */
const QUOTED = /^(?<quote>["'`])(?:\\.|(?!\k<quote>)[^\\])*\k<quote>(?<rest>[^\n]*)/s;

/** The first line that `parseEnv` would ignore or misread; `null`: none. The reason never contains a value. */
function malformedLine(text: string): { readonly line: number; readonly reason: string } | null {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  for (let at = 0; at < lines.length; at++) {
    const content = lines[at]!.trim();
    if (content === "" || content.startsWith("#")) continue;
    const wrong = (reason: string) => ({ line: at + 1, reason });
    const { name, value } = VARIABLE.exec(content)?.groups ?? {};
    if (name === undefined) return wrong("it has no `=`");
    if (!NAME.test(name) || !STARTS_WITH_ASCII.test(lines[at]!))
      return wrong("a name has only letters, digits, `_`, `-` and `.`, and does not begin with a digit");
    if (!/^["'`]/.test(value!)) continue;
    const quoted = QUOTED.exec([value, ...lines.slice(at + 1)].join("\n"));
    if (quoted === null) return wrong("its quote is not closed");
    if (!/^\s*(?:#|$)/.test(quoted.groups!["rest"]!)) return wrong("text follows its closing quote");
    at += quoted[0].split("\n").length - 1;
  }
  return null;
}
