/** Control sequences with their parameter and command, and single characters. */
const TOKENS = new RegExp(`${String.fromCharCode(27)}\\[(\\??\\d*)([A-Za-z])|[^]`, "gu");

/** The lines that a terminal shows after it received text with cursor movements. Unknown sequences fail. */
export function screenOf(text: string, columns: number): readonly string[] {
  const lines: string[][] = [[]];
  let row = 0;
  let column = 0;
  let wraps = true;
  const lineAt = (at: number) => (lines[at] ??= []);
  for (const [token, parameter = "", command] of text.matchAll(TOKENS)) {
    const count = Number.parseInt(parameter, 10) || 1;
    if (command === undefined) {
      if (token === "\n") [row, column] = [row + 1, 0];
      else if (token === "\r") column = 0;
      else if (token === "\u001b") throw new Error("an escape sequence is not known");
      else {
        if (column >= columns) [row, column] = wraps ? [row + 1, 0] : [row, columns - 1];
        const line = lineAt(row);
        while (line.length < column) line.push(" ");
        line[column] = token;
        column += 1;
      }
      lineAt(row);
    } else if (command === "A") row = Math.max(0, row - count);
    else if (command === "B") row += count;
    else if (command === "C") column += count;
    else if (command === "D") column = Math.max(0, column - count);
    else if (command === "G") column = count - 1;
    else if (command === "J") {
      lineAt(row).splice(column);
      lines.splice(row + 1);
    } else if (command === "K") {
      const line = lineAt(row);
      if (parameter === "" || parameter === "0") line.splice(column);
      else lines[row] = [];
    } else if (parameter === "?7") wraps = command === "h";
    else if (parameter !== "?25" && command !== "m") throw new Error(`${JSON.stringify(token)} is not known`);
  }
  const shown = lines.map((line) => line.join("").trimEnd());
  while (shown.at(-1) === "") shown.pop();
  return shown;
}
