import type { Entity, PartitionQuery, ReadEntity, TableGateway } from "../../plugins/azure-tables/gateway.ts";

/** How calls of a fake table are disturbed. */
export interface TableFaults {
  /** Called before each call; throws to make it fail without effect. */
  readonly before: (operation: string) => Promise<void>;
  /** Called after its effect; throws to make it fail nevertheless. */
  readonly after: (operation: string) => Promise<void>;
}

const noFaults: TableFaults = { before: async () => {}, after: async () => {} };

/** The entities of a table in memory; several gateways may work on them. */
export type MemoryTable = Map<string, ReadEntity>;

/** A table in memory with the rules of Azure Tables that the store relies on. */
export function memoryGateway(table: MemoryTable, faults: TableFaults = noFaults): TableGateway {
  let writes = 0;
  const put = (entity: Entity) =>
    table.set(idOf(entity), {
      ...entity,
      values: { ...entity.values },
      etag: `${table.size}-${writes++}-${Math.random()}`,
    });
  const through = async <T>(operation: string, work: () => T): Promise<T> => {
    await faults.before(operation);
    const response = work();
    await faults.after(operation);
    return response;
  };
  return {
    prepare: async () => {},
    get: (partitionKey, rowKey) => through("get", () => table.get(idOf({ partitionKey, rowKey })) ?? null),
    create: (entity) => through("create", () => !table.has(idOf(entity)) && put(entity) === table),
    changeAll: (changes) =>
      through("changeAll", () => {
        const partitions = new Set(changes.map(({ entity }) => entity.partitionKey));
        if (partitions.size > 1 || changes.length > 100) throw new Error("no batch of Azure Tables");
        const refused = changes.some(({ entity, etag }) => (table.get(idOf(entity))?.etag ?? null) !== etag);
        if (refused) return false;
        for (const { entity } of changes) put(entity);
        return true;
      }),
    replace: (entity, etag) =>
      through("replace", () => {
        const there = table.get(idOf(entity));
        return there !== undefined && (etag === "*" || there.etag === etag) && put(entity) === table;
      }),
    remove: (partitionKey, rowKey, etag) =>
      through("remove", () => {
        const id = idOf({ partitionKey, rowKey });
        return table.get(id)?.etag === etag && table.delete(id);
      }),
    async *query(query) {
      // Like the service: every page is one request, and what is written meanwhile may be on the next.
      const { pageSize = 1000 } = query;
      for (let rowFrom = query.rowFrom; ;) {
        const next = { ...query, ...(rowFrom === undefined ? {} : { rowFrom }) };
        const page = (await through("query", () => found(table, next))).slice(0, pageSize);
        yield page;
        if (page.length < pageSize) return;
        rowFrom = `${page.at(-1)!.rowKey}\0`;
      }
    },
  };
}

function found(table: MemoryTable, query: PartitionQuery): readonly ReadEntity[] {
  const { partitionKey, rowFrom = "", rowBefore } = query;
  return [...table.values()]
    .filter((entity) => entity.partitionKey === partitionKey && entity.rowKey >= rowFrom)
    .filter((entity) => rowBefore === undefined || entity.rowKey < rowBefore)
    .sort((a, b) => (a.rowKey < b.rowKey ? -1 : 1));
}

function idOf({ partitionKey, rowKey }: { readonly partitionKey: string; readonly rowKey: string }): string {
  return `${partitionKey}\n${rowKey}`;
}
