import { AgnesError } from "../../lib/base/mod.ts";
import { storedTimelineEntry, type TimelineOptions } from "../../lib/sync/mod.ts";
import { copyAdvice } from "../../lib/workspace/mod.ts";
import type { Cli } from "../cli/cli.ts";
import { command } from "../cli/command.ts";
import { wholeNumber } from "../cli/strict-args.ts";
import type { ServerClient } from "../server/client.ts";
import { serverArgs, serverOf } from "../server/server-args.ts";
import { knownSource } from "../tables/known-source.ts";
import { printRows, textColumn } from "../terminal/print-rows.ts";
import { openAgnes } from "../workspace/open-agnes.ts";

/** The maximum of the library and of the server. */
const LIMIT_MAX = 1000;

export default command({
  args: {
    ...serverArgs,
    table: {
      type: "positional",
      required: false,
      valueHint: "TABLE",
      description: "Only the events of this table, by its id or view name; default: all tables",
    },
    source: { type: "string", valueHint: "SOURCE", description: "Only the events of this source" },
    limit: {
      type: "string",
      default: "20",
      valueHint: "N",
      description: "Maximum number of events, newest first, at most 1000",
    },
    before: {
      type: "string",
      valueHint: "NEXT",
      description: "Only older events: `next` of the last page, as --json prints it",
    },
  },
  examples: ["agnes timeline", "agnes timeline orders --limit 5", "agnes timeline --source crm --json"],
  async run(cli, args) {
    const { table, source, before } = args;
    const limit = limitOf(cli, args.limit);
    const filter = {
      ...(table !== undefined && { table }),
      ...(source !== undefined && { source }),
      ...(before !== undefined && { before }),
    };
    const server = serverOf(cli, args.server);
    const { entries, next, nothing } = await (server === undefined
      ? localTimeline(cli, { ...filter, limit })
      : serverTimeline(server, { ...filter, limit: String(limit) }));
    if (cli.json) return cli.printJson({ entries, next });
    if (entries.length === 0) return cli.info(nothing);
    await printRows(
      cli,
      ["when", { name: "what", leftOut: 2 }, "of", textColumn("summary"), { name: "by", leftOut: 1 }],
      entries.map(({ at, kind, table: id, source: of, summary, actor, error }) => [
        at,
        kind.replace("_", " "),
        id ?? of ?? "",
        error === null ? summary : `${summary}: ${error.message}`,
        actor ?? (kind === "rollback" ? "unknown" : ""),
      ]),
    );
    if (next !== null) cli.info(`There are older events: \`--limit\` shows more of them.`);
    return undefined;
  },
});

interface Page {
  readonly entries: readonly StoredEntry[];
  readonly next: string | null;
  /** The text if there are no entries. */
  readonly nothing: string;
}

type StoredEntry = ReturnType<typeof storedTimelineEntry>;

const NOTHING = "Nothing has happened yet. Run `agnes sync`.";

async function localTimeline(cli: Cli, options: TimelineOptions): Promise<Page> {
  await using agnes = await openAgnes(cli);
  if (options.source !== undefined) knownSource(agnes.workspace, options.source);
  const { entries, next } = await agnes.timeline(options);
  return {
    entries: entries.map(storedTimelineEntry),
    next,
    nothing: copyAdvice(NOTHING, agnes.workspace.config),
  };
}

async function serverTimeline(server: ServerClient, query: Readonly<Record<string, string>>): Promise<Page> {
  const path = `/api/timeline?${new URLSearchParams(query).toString()}`;
  const { entries, next } = await server.json<Omit<Page, "nothing">>(path);
  return { entries, next, nothing: server.advice(NOTHING) };
}

function limitOf(cli: Cli, text: string): number {
  const limit = wholeNumber(cli.name, "--limit", text)!;
  if (limit <= LIMIT_MAX) return limit;
  const reason = `--limit is at most ${LIMIT_MAX}`;
  throw new AgnesError("usage_wrong", {
    command: cli.name,
    reason,
    next: "Read older events with --before.",
  });
}
