import { nearest } from "../../base/mod.ts";

/** A fenced block of YAML, and the line of the file on which its content begins. */
export interface YamlBlock {
  readonly text: string;
  readonly line: number;
}

/** What a block holds that is of the registry. */
const KEYS = ["tables", "folder_mapping"] as const;

/**
 * The fenced YAML blocks of a Markdown text. A fence ends at the margin; what is indented belongs to the content, and
 * so does a fence inside another.
 *
 * @param unended called with the line of a fence that does not end; throws
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

/** Whether the fields of a block are none of the registry's, nor mistyped ones: then it is about something else. */
export function isOther(keys: readonly string[]): boolean {
  return keys.every((key) => !KEYS.some((known) => known === key) && nearest(key, KEYS) === undefined);
}

/** The first key that a block with tables or folders should not have. */
export function unknownKey(keys: readonly string[]): string | undefined {
  return keys.find((key) => !KEYS.some((known) => known === key));
}

/** Whether a block that is not YAML, a template for example, could be meant to hold tables or folders. */
export function mentionsRegistry(text: string): boolean {
  return KEYS.some((key) => text.includes(key));
}
