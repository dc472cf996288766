import type { Host, Log } from "../../base/mod.ts";
import { openCatalog, type Catalog, type CatalogStorage } from "../../catalog/mod.ts";

/** The settings of a user by name: `true`: subscribed, `false`: not. */
type Choices = Readonly<Record<string, boolean>>;

/** What a user subscribes to. */
export interface Subscription {
  /** `all`: all tables that the user may access; `explicit`: those that are chosen. */
  readonly tableMode: "all" | "explicit";
  /** By the id of the table. */
  readonly tables: Choices;
  /** By the group of the tables, which is the field `dataset` of the registry. */
  readonly groups: Choices;
  /** By the folder of the tables. */
  readonly folders: Choices;
}

/** A change of a subscription: a missing field or name keeps its value, null removes a name. */
export interface SubscriptionChange {
  readonly tableMode?: "all" | "explicit" | undefined;
  readonly tables?: Readonly<Record<string, boolean | null>> | undefined;
  readonly groups?: Readonly<Record<string, boolean | null>> | undefined;
  readonly folders?: Readonly<Record<string, boolean | null>> | undefined;
}

interface StoredSubscription extends Subscription {
  readonly user: string;
}

const NOTHING_CHOSEN: Subscription = { tableMode: "all", tables: {}, groups: {}, folders: {} };
/** The subscriptions need no audit. */
const KEEP_ENTRIES = 256;

/** The subscriptions of users, by the name of their token. */
export class Subscriptions implements AsyncDisposable {
  readonly #catalog: Catalog<StoredSubscription>;

  private constructor(catalog: Catalog<StoredSubscription>) {
    this.#catalog = catalog;
  }

  static async open(services: {
    readonly storage: CatalogStorage;
    readonly host: Host;
    readonly log: Log;
  }): Promise<Subscriptions> {
    const schema = {
      name: "subscriptions",
      rowKey: "user",
      indexKeys: [],
      keepEntries: KEEP_ENTRIES,
    } as const;
    return new Subscriptions(await openCatalog<StoredSubscription>({ ...schema, ...services }));
  }

  /** Returns what a user subscribes to; by default all tables. */
  async of(user: string): Promise<Subscription> {
    return (await this.#catalog.get(user))?.record ?? NOTHING_CHOSEN;
  }

  /** Changes what a user subscribes to, and returns it. */
  async change(user: string, change: SubscriptionChange, actor: string): Promise<Subscription> {
    const { changes } = await this.#catalog.transact(
      async (view) => {
        const known = (await view.get(user))?.record ?? NOTHING_CHOSEN;
        const record = {
          user,
          tableMode: change.tableMode ?? known.tableMode,
          tables: merged(known.tables, change.tables),
          groups: merged(known.groups, change.groups),
          folders: merged(known.folders, change.folders),
        };
        return [{ kind: "put", record }];
      },
      { actor },
    );
    return changes[0]?.after ?? (await this.of(user));
  }

  /** Removes an unregistered table from all subscriptions. */
  async forget(table: string): Promise<void> {
    const isTable = (id: string) => id.toLowerCase() === table.toLowerCase();
    await this.#catalog.transact(async (view) => {
      const all = (await view.query({})).map(({ record }) => record);
      return all
        .filter(({ tables }) => Object.keys(tables).some(isTable))
        .map((record) => {
          const left = Object.entries(record.tables).filter(([id]) => !isTable(id));
          return { kind: "put", record: { ...record, tables: Object.fromEntries(left) } };
        });
    });
  }

  async close(): Promise<void> {
    await this.#catalog.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function merged(known: Choices, change: Readonly<Record<string, boolean | null>> = {}): Choices {
  const entries = new Map<string, boolean | null>([...Object.entries(known), ...Object.entries(change)]);
  return Object.fromEntries([...entries].filter((entry): entry is [string, boolean] => entry[1] !== null));
}

/** What decides whether a table is subscribed to. */
interface SubscribedTable {
  readonly id: string;
  readonly group: string | null;
  readonly folder: string | null;
}

/**
 * Whether a table is subscribed to. In the mode `explicit`, the setting of the table itself has precedence; otherwise its group or
 * folder must be `true`, and neither `false`.
 */
export function isSubscribed(
  { tableMode, tables, groups, folders }: Subscription,
  { id, group, folder }: SubscribedTable,
): boolean {
  if (tableMode === "all") return true;
  const own = choice(tables, id);
  if (own !== undefined) return own;
  const ofPlaces = [choice(groups, group), choice(folders, folder)];
  return ofPlaces.includes(true) && !ofPlaces.includes(false);
}

function choice(choices: Choices, name: string | null): boolean | undefined {
  return name !== null && Object.hasOwn(choices, name) ? choices[name] : undefined;
}
