import { nearest } from "../../base/mod.ts";

/** A fenced YAML block, and the line of the file at which its content begins. */
export interface YamlBlock {
  readonly text: string;
  readonly line: number;
}

/** The keys of a registry block. */
const KEYS = ["tables", "folder_mapping"] as const;

/**
 * Extracts the fenced YAML blocks of a Markdown text. A closing fence is not indented; indented lines and nested fences
 * belong to the content.
 *
 * @param unended called with the line of an unclosed fence; throws
 */
export function yamlBlocks(text: string, unended: (line: number) => never): readonly YamlBlock[] {
  const blocks: YamlBlock[] = [];
  let open: { readonly fence: string; readonly isYaml: boolean; readonly line: number } | undefined;
  let content = "";
  for (const [at, line] of text.split("\n").entries()) {
    const mark = /^(?:(`{3,})([^`]*)|(~{3,})(.*))$/.exec(line);
    const fence = mark?.[1] ?? mark?.[3];
    const info = (mark?.[2] ?? mark?.[4] ?? "").trim();
    if (open === undefined) {
      if (fence === undefined) continue;
      [open, content] = [{ fence, isYaml: /^ya?ml$/i.test(info), line: at + 1 }, ""];
    } else if (fence?.startsWith(open.fence) === true && info === "") {
      if (open.isYaml) blocks.push({ text: content, line: open.line + 1 });
      open = undefined;
    } else content += `${line}\n`;
  }
  return open === undefined ? blocks : unended(open.line);
}

/** Whether a block has neither keys of the registry nor misspelled ones, so that its content is something else. */
export function isOther(keys: readonly string[]): boolean {
  return keys.every((key) => !KEYS.some((known) => known === key) && nearest(key, KEYS) === undefined);
}

/** The first unknown key of a registry block. */
export function unknownKey(keys: readonly string[]): string | undefined {
  return keys.find((key) => !KEYS.some((known) => known === key));
}

/** Whether a block that is invalid YAML, such as a template, mentions keys of the registry. */
export function mentionsRegistry(text: string): boolean {
  return KEYS.some((key) => text.includes(key));
}
