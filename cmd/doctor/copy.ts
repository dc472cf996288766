import { createHost } from "../../lib/base/mod.ts";
import { copyAdvice, readCopyState, type CopyState, type Workspace } from "../../lib/workspace/mod.ts";
import { plural } from "../terminal/figures.ts";
import { failed, ok, warning, type Check } from "./check.ts";

/** How many tables without a copy are named. */
const TABLES_SHOWN = 5;

/** Reads the state of the copies; null: there are none, or it cannot be read, which is a check. */
export async function readCopies({ config, dataDirectory }: Workspace): Promise<{
  readonly state: CopyState | null;
  readonly checks: readonly Check[];
}> {
  try {
    const state = await readCopyState(createHost(), dataDirectory);
    return { state, checks: copyChecks(config, state) };
  } catch (error) {
    return { state: null, checks: [failed("copy", error)] };
  }
}

/** Of which server the workspace has copies, when they were pulled, and which tables only the server has. */
function copyChecks({ copy }: Workspace["config"], state: CopyState | null): readonly Check[] {
  const server = copy?.server ?? state?.server;
  if (server === undefined) return [];
  if (state === null) return [warning("copy", `of ${server}, nothing pulled yet`, "Run `agnes pull`.")];
  return [pullCheck(server, state), ...missingChecks(state)];
}

/** The checks with hints that name `agnes pull` where `agnes sync` would be rejected. */
export function withCopyAdvice(
  checks: readonly Check[],
  config: Workspace["config"],
  state: CopyState | null,
): readonly Check[] {
  return checks.map((check) =>
    check.hint === undefined
      ? check
      : { ...check, hint: copyAdvice(check.hint, config, state?.sources ?? []) },
  );
}

function pullCheck(server: string, { lastPull }: CopyState): Check {
  if (lastPull === null)
    return warning("copy", `of ${server}, but no pull has ended yet`, "Run `agnes pull`.");
  const message = `of ${server}, last pulled at ${lastPull.at}`;
  const [first] = lastPull.failed;
  if (first === undefined) return ok("copy", message);
  const tables = `${plural(lastPull.failed.length, "table")} could not be updated then, such as ${first}`;
  return warning("copy", `${message}; ${tables}`, "Run `agnes pull`, which prints the cause.");
}

function missingChecks({ missing }: CopyState): readonly Check[] {
  if (missing.length === 0) return [];
  const shown = missing.slice(0, TABLES_SHOWN).map(({ id, reason }) => `${id} (${reason})`);
  const more = missing.length - shown.length;
  const left = more === 0 ? "" : ` and ${more} more`;
  return [
    ok(
      "tables without a copy",
      `${plural(missing.length, "table")} of the server: ${shown.join(", ")}${left}`,
    ),
  ];
}
