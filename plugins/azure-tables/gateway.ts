import type { TableClient, TableEntity, TransactionAction } from "@azure/data-tables";

/** An entity with two keys and text properties. */
export interface Entity {
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly values: Readonly<Record<string, string>>;
}

/** An entity that was read. `etag` changes with each write. */
export interface ReadEntity extends Entity {
  readonly etag: string;
}

/** An entity to create, or to replace if it still has this etag. */
export interface EntityChange {
  readonly entity: Entity;
  /** `null` if the entity should not exist yet. */
  readonly etag: string | null;
}

/** A range of one partition. */
export interface PartitionQuery {
  readonly partitionKey: string;
  readonly rowFrom?: string;
  readonly rowBefore?: string;
  readonly pageSize?: number;
}

/** The operations of the store on one table. Failed requests throw the client's error. */
export interface TableGateway {
  /** Creates the table if it does not exist. */
  prepare(): Promise<void>;
  get(partitionKey: string, rowKey: string): Promise<ReadEntity | null>;
  /** Creates an entity. Returns `false` if one with these keys exists. */
  create(entity: Entity): Promise<boolean>;
  /** Applies changes of one partition atomically. Returns `false` if one of them conflicts. */
  changeAll(changes: readonly EntityChange[]): Promise<boolean>;
  /** Returns `false` if the entity is missing or has another etag. */
  replace(entity: Entity, etag: string): Promise<boolean>;
  /** Returns `false` if the entity is missing or has another etag. */
  remove(partitionKey: string, rowKey: string, etag: string): Promise<boolean>;
  /** Reads a range page by page, in the order of row keys. */
  query(query: PartitionQuery): AsyncIterable<readonly ReadEntity[]>;
}

/** The gateway to a table through the official client, with a timeout for each request. */
export function clientGateway(client: TableClient, requestTimeoutMs: number): TableGateway {
  // The client has no timeout of its own.
  const limited = () => ({ abortSignal: AbortSignal.timeout(requestTimeoutMs) });
  return {
    prepare: () => client.createTable(limited()),
    get: (partitionKey, rowKey) =>
      unless(null, [404], async () =>
        read(await client.getEntity<TableEntity>(partitionKey, rowKey, limited())),
      ),
    create: (entity) =>
      unless(false, [409], async () => {
        await client.createEntity(flat(entity), limited());
        return true;
      }),
    changeAll: (changes) =>
      unless(false, [404, 409, 412], async () => {
        const actions = changes.map(({ entity, etag }): TransactionAction =>
          etag === null ? ["create", flat(entity)] : ["update", flat(entity), "Replace", { etag }],
        );
        await client.submitTransaction(actions, limited());
        return true;
      }),
    replace: (entity, etag) =>
      unless(false, [404, 412], async () => {
        await client.updateEntity(flat(entity), "Replace", { etag, ...limited() });
        return true;
      }),
    remove: (partitionKey, rowKey, etag) =>
      unless(false, [404, 412], async () => {
        await client.deleteEntity(partitionKey, rowKey, { etag, ...limited() });
        return true;
      }),
    query: (query) => pages(client, query, limited),
  };
}

async function* pages(
  client: TableClient,
  query: PartitionQuery,
  limited: () => { readonly abortSignal: AbortSignal },
): AsyncIterable<readonly ReadEntity[]> {
  const terms = [`PartitionKey eq ${quoted(query.partitionKey)}`];
  if (query.rowFrom !== undefined) terms.push(`RowKey ge ${quoted(query.rowFrom)}`);
  if (query.rowBefore !== undefined) terms.push(`RowKey lt ${quoted(query.rowBefore)}`);
  const queryOptions = { filter: terms.join(" and ") };
  let continuationToken: string | undefined;
  do {
    const listed = client.listEntities<TableEntity>({ queryOptions, ...limited() });
    const settings = { maxPageSize: query.pageSize ?? 1000, ...(continuationToken && { continuationToken }) };
    const next = await listed.byPage(settings).next();
    if (next.done === true) return;
    continuationToken = next.value.continuationToken;
    yield next.value.map(read);
  } while (continuationToken !== undefined);
}

/** The HTTP status of an error of the service; `undefined` if there was no response. */
export function statusOf(error: unknown): number | undefined {
  const status = error instanceof Error && "statusCode" in error ? error.statusCode : undefined;
  return typeof status === "number" ? status : undefined;
}

async function unless<T, N>(
  fallback: N,
  statuses: readonly number[],
  work: () => Promise<T>,
): Promise<T | N> {
  try {
    return await work();
  } catch (error) {
    const status = statusOf(error);
    // Only these statuses map to the fallback. All other failures are thrown, never treated as "missing".
    if (status !== undefined && statuses.includes(status) && !isMissingTable(error)) return fallback;
    throw error;
  }
}

function isMissingTable(error: unknown): boolean {
  const details = error instanceof Error && "details" in error ? JSON.stringify(error.details) : "";
  return /TableNotFound|TableBeingDeleted/.test(details ?? "");
}

function flat(entity: Entity): { partitionKey: string; rowKey: string; [name: string]: string } {
  return { ...entity.values, partitionKey: entity.partitionKey, rowKey: entity.rowKey };
}

function read(entity: Partial<TableEntity> & { readonly etag?: string }): ReadEntity {
  const { partitionKey = "", rowKey = "", etag = "", ...rest } = entity;
  const texts = Object.entries(rest).filter(
    (value): value is [string, string] => typeof value[1] === "string",
  );
  return { partitionKey, rowKey, etag, values: Object.fromEntries(texts) };
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
