/** The line every generated page begins with. */
const GENERATED = "<!-- Generated from the code by `bun run reference`. Do not edit. -->";

/** A Markdown table; cells may hold anything. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

/** A generated page. */
export function page(title: string, ...sections: readonly string[]): string {
  return `${[GENERATED, `# ${title}`, ...sections].join("\n\n")}\n`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replace(/\s*\n\s*/g, " ");
}
