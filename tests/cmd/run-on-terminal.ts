import { join } from "node:path";

const MAIN = join(import.meta.dir, "..", "..", "cmd", "main.ts");

/** How a command runs on a terminal. */
export interface TerminalOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The width of the terminal. Default: 200. */
  readonly columns?: number;
  /** The text after which `answer` is typed. Default: nothing is typed. */
  readonly question?: string;
  readonly answer?: string;
}

/** Runs the command line on a terminal. */
export async function runOnTerminal(
  args: readonly string[],
  { cwd, env, columns = 200, question, answer }: TerminalOptions,
): Promise<{ readonly status: number; readonly text: string }> {
  let text = "";
  let isAnswered = false;
  const child = Bun.spawn([process.execPath, MAIN, ...args], {
    cwd,
    env: { HOME: process.env["HOME"]!, PATH: process.env["PATH"]!, TERM: "xterm-256color", ...env },
    terminal: {
      cols: columns,
      rows: 40,
      data(terminal, bytes) {
        text += Buffer.from(bytes).toString();
        if (isAnswered || question === undefined || !text.includes(question)) return;
        isAnswered = true;
        terminal.write(answer!);
      },
    },
  });
  const status = await child.exited;
  child.terminal!.close();
  return { status, text };
}
