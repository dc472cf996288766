import { isDeepStrictEqual } from "node:util";

import type { JsonRecord } from "../catalog/mod.ts";
import type { Capability, TableInfo } from "../kit/mod.ts";
import { isAgnesError, toExposedName, type AgnesError } from "../base/mod.ts";
import type { TableAudit } from "./history.ts";
import {
  checkChange,
  defaultName,
  fromStoredFields,
  libraryName,
  newSettings,
  type CheckTable,
  sourceTableNames,
  tableId,
  storedName,
  toStoredFields,
  type TableChange,
  type QueryMode,
  type TableRecord,
  type TableSettings,
} from "./record/mod.ts";

/** The result of discovering one table of a source, or on a dry run the expected result. */
export type Candidate =
  /** Not registered yet. `change` registers it; `notes` describe names that were changed to avoid a conflict. */
  | {
      readonly kind: "new";
      readonly table: string;
      readonly id: string;
      readonly viewName: string;
      readonly change: TableChange;
      readonly notes: readonly string[];
    }
  | {
      readonly kind: "existing";
      readonly table: string;
      readonly id: string;
      readonly viewName: string;
      /** The new value of the field `sourceMetadata`. Missing if the source has no new metadata. */
      readonly sourceMetadata?: JsonRecord;
    }
  /** Registered, but the settings no longer match the source. No setting is overwritten. */
  | {
      readonly kind: "drifted";
      readonly table: string;
      readonly id: string;
      readonly viewName: string;
      readonly drift: readonly Drift[];
      /** The same as for an existing table. */
      readonly sourceMetadata?: JsonRecord;
    }
  /** Unregistered by a user. It stays so until a user registers it again. */
  | {
      readonly kind: "unregistered";
      readonly table: string;
      readonly id: string;
      /** The user who unregistered it; `version` is the registry's version of that change. */
      readonly actor: string;
      readonly version: number;
    }
  /** Cannot be read, so its columns are not known. `id` is `null` if it is not registered yet. */
  | {
      readonly kind: "unreadable";
      readonly table: string;
      readonly id: string | null;
      readonly code: string;
      readonly reason: string;
    }
  /** Omitted by the source on purpose. */
  | { readonly kind: "left_out"; readonly table: string; readonly reason: string }
  /** Cannot be registered. */
  | { readonly kind: "invalid"; readonly table: string; readonly code: string; readonly reason: string };

/** One setting that no longer matches the source. */
interface Drift {
  readonly field: keyof TableSettings;
  readonly registered: readonly string[];
  readonly discovered: readonly string[];
  readonly reason: string;
}

/** Options of a registration plan. */
export interface PlanOptions {
  /** The capabilities of the connector, for tables without their own. */
  readonly capabilities?: readonly Capability[] | undefined;
  /** An additional check of the settings. A table for which it throws is invalid. */
  readonly checkTable?: CheckTable;
}

/** The planned changes of the registry after discovering a source. */
export interface RegistrationPlan {
  /** The name of the source. */
  readonly source: string;
  /** One candidate per discovered table, in the source's order. */
  readonly candidates: readonly Candidate[];
  /** Ids of registered tables that the source no longer has. They stay registered. */
  readonly missing: readonly string[];
}

/**
 * Compares the tables of a source with the registered ones. A pure function: it changes nothing.
 *
 * @param registered all tables of the registry, because view names are unique across sources
 */
export function planRegistration(
  source: string,
  discovered: readonly TableInfo[],
  registered: readonly TableRecord[],
  options: PlanOptions = {},
): RegistrationPlan {
  const own = registered.filter((record) => record.source === source);
  // A table may be registered again with a query; its own record is the one without.
  const queriesFirst = own.toSorted(
    (a, b) => Number(a.sourceQuery === null) - Number(b.sourceQuery === null),
  );
  const byTable = new Map(
    queriesFirst.flatMap((record) => sourceTableNames(record).map((name) => [name, record])),
  );
  const names = new NamesInUse(registered, discovered);
  const candidates = discovered.map((info) => {
    const record = byTable.get(info.name);
    if (info.problem !== undefined) return unreadable(info, info.problem, record);
    return record === undefined ? newCandidate(source, info, names, options) : compared(record, info);
  });
  const present = new Set(discovered.map((info) => info.name));
  const missing = own
    .filter((record) => record.sourceTable !== null)
    .filter((record) => !sourceTableNames(record).some((name) => present.has(name)))
    .map((record) => record.id);
  return { source, candidates, missing };
}

/** A plan with the names of fields as in files, YAML and HTTP. */
export function storedPlan(plan: RegistrationPlan): object {
  const candidates = plan.candidates.map((candidate) => {
    const stored = toStoredFields(candidate);
    if (candidate.kind === "new") return { ...stored, change: toStoredFields(candidate.change) };
    if (candidate.kind !== "drifted") return stored;
    return {
      ...stored,
      drift: candidate.drift.map((one) => ({ ...one, field: storedName(one.field) })),
    };
  });
  return { ...plan, candidates };
}

/** The inverse of `storedPlan`. */
export function planOfStored(stored: object): RegistrationPlan {
  const plan = stored as RegistrationPlan;
  const candidates = plan.candidates.map((one) => {
    const candidate = fromStoredFields(one) as Candidate;
    if (candidate.kind === "new") return { ...candidate, change: fromStoredFields(candidate.change) };
    if (candidate.kind !== "drifted") return candidate;
    const drift = candidate.drift.map((part) => ({ ...part, field: libraryName(part.field) }));
    return { ...candidate, drift };
  });
  return { ...plan, candidates: candidates as readonly Candidate[] };
}

/** A plan in which tables that a user unregistered are not new. */
export function withoutDeclined(
  plan: RegistrationPlan,
  declined: ReadonlyMap<string, TableAudit>,
): RegistrationPlan {
  const candidates = plan.candidates.map((candidate): Candidate => {
    const audit = isUndecided(candidate) ? declined.get(candidate.table) : undefined;
    if (audit === undefined) return candidate;
    const { id, actor, version } = audit;
    return { kind: "unregistered", table: candidate.table, id, actor, version };
  });
  return { ...plan, candidates };
}

/** Whether a table is not registered, so it matters whether a user unregistered it. */
function isUndecided(candidate: Candidate): boolean {
  return candidate.kind === "new" || (candidate.kind === "unreadable" && candidate.id === null);
}

/** Whether a plan changes nothing, regardless of unregistered tables. */
export function changesNothing({ candidates }: RegistrationPlan): boolean {
  return candidates.every((one) => !isUndecided(one) && metadataOf(one) === undefined);
}

/** The new metadata of a registered table. */
export function metadataOf(
  candidate: Candidate,
): { readonly id: string; readonly fields: JsonRecord } | undefined {
  if (candidate.kind !== "existing" && candidate.kind !== "drifted") return undefined;
  const { id, sourceMetadata: fields } = candidate;
  return fields === undefined ? undefined : { id, fields };
}

function unreadable(info: TableInfo, error: AgnesError, record: TableRecord | undefined): Candidate {
  const { name: table } = info;
  const reason = error.message;
  return record === undefined && info.isSkipped === true
    ? { kind: "left_out", table, reason }
    : { kind: "unreadable", table, id: record?.id ?? null, code: error.code, reason };
}

function newCandidate(
  source: string,
  info: TableInfo,
  names: NamesInUse,
  { capabilities, checkTable }: PlanOptions,
): Candidate {
  const name = names.nameFor(source, info.name);
  const viewName = names.viewNameFor(source, name);
  const notes = [
    ...(name === defaultName(info.name)
      ? []
      : [`named ${name}, because another table of ${source} has the name ${defaultName(info.name)}`]),
    ...(viewName === name
      ? []
      : [`its view is ${viewName}, because ${name} is the view of ${names.ownerOf(name)}`]),
  ];
  const change: TableChange = {
    source,
    name,
    viewName,
    sourceTable: info.name,
    queryMode: defaultMode(info.capabilities ?? capabilities),
    primaryKey: [...info.primaryKey],
    ...(info.cursor === undefined ? {} : { incrementalColumn: info.cursor }),
    ...(info.description === undefined ? {} : { description: cleanText(info.description) }),
    ...(info.sourceMetadata === undefined ? {} : { sourceMetadata: info.sourceMetadata }),
  };
  const id = tableId(source, name);
  try {
    const settings = newSettings(checkChange(change, id), id);
    checkTable?.(settings, id);
  } catch (error) {
    if (!isAgnesError(error)) throw error;
    return { kind: "invalid", table: info.name, code: error.code, reason: error.message };
  }
  if (names.isTaken(id)) {
    const reason = `the name ${name} belongs to another table of ${source}`;
    return { kind: "invalid", table: info.name, code: "table_exists", reason };
  }
  names.take(id, viewName);
  return { kind: "new", table: info.name, id, viewName, change, notes };
}

function compared(record: TableRecord, info: TableInfo): Candidate {
  const { id, viewName } = record;
  const drift = driftOf(record, info);
  const sourceMetadata = newMetadata(record, info);
  const common = {
    table: info.name,
    id,
    viewName,
    ...(sourceMetadata === undefined ? {} : { sourceMetadata }),
  };
  return drift.length === 0 ? { kind: "existing", ...common } : { kind: "drifted", ...common, drift };
}

/** The registered metadata of a table merged with that of its source; `undefined` if nothing changes. */
function newMetadata(record: TableRecord, { sourceMetadata }: TableInfo): JsonRecord | undefined {
  if (sourceMetadata === undefined) return undefined;
  // Keys that the source does not have were set by users or an earlier system.
  const merged = { ...record.sourceMetadata, ...sourceMetadata };
  return isDeepStrictEqual(merged, record.sourceMetadata) ? undefined : merged;
}

function driftOf(record: TableRecord, info: TableInfo): readonly Drift[] {
  const columns = info.schema.fields.map((field) => field.name);
  const uses: readonly (readonly [keyof TableSettings, readonly string[]])[] = [
    ["primaryKey", record.primaryKey],
    ["columns", record.columns ?? []],
    ["incrementalColumn", record.incrementalColumn === null ? [] : [record.incrementalColumn]],
    ["partitionBy", record.partitionBy === null ? [] : [record.partitionBy]],
    ["columnMetadata", Object.keys(record.columnMetadata)],
    ["whereFilters", record.whereFilters.map((filter) => filter.column)],
  ];
  const gone = uses
    .map(([field, used]) => ({ field, used, lost: used.filter((name) => !columns.includes(name)) }))
    .filter(({ lost }) => lost.length > 0)
    .map(({ field, used, lost }) => ({
      field,
      registered: used,
      discovered: columns,
      reason: `the source has no column ${lost.join(", ")}`,
    }));
  const key = record.primaryKey;
  const keyChanged =
    key.length > 0 &&
    info.primaryKey.length > 0 &&
    [...key].sort().join("\0") !== [...info.primaryKey].sort().join("\0");
  return keyChanged && !gone.some(({ field }) => field === "primaryKey")
    ? [
        ...gone,
        {
          field: "primaryKey",
          registered: key,
          discovered: info.primaryKey,
          reason: "the source reports another key",
        },
      ]
    : gone;
}

/** The names in use, and the default names of the discovered tables. */
class NamesInUse {
  readonly #ids: Set<string>;
  readonly #views: Map<string, string>;
  readonly #wanted = new Map<string, number>();
  /** The next number for view names with a prefix. */
  readonly #numbers = new Map<string, number>();

  constructor(registered: readonly TableRecord[], discovered: readonly TableInfo[]) {
    this.#ids = new Set(registered.map((record) => record.id.toLowerCase()));
    this.#views = new Map(registered.map((record) => [record.viewName.toLowerCase(), record.id]));
    for (const info of discovered) {
      const name = defaultName(info.name);
      this.#wanted.set(name, (this.#wanted.get(name) ?? 0) + 1);
    }
  }

  /** The short name if only one table wants it, otherwise the full name in the source. */
  nameFor(source: string, sourceTable: string): string {
    const short = defaultName(sourceTable);
    return this.#wanted.get(short) === 1 && !this.isTaken(tableId(source, short))
      ? short
      : toExposedName(sourceTable);
  }

  viewNameFor(source: string, name: string): string {
    if (!this.#views.has(name)) return name;
    const long = `${source}_${name}`.slice(0, 64).toLowerCase();
    if (!this.#views.has(long)) return long;
    const stem = long.slice(0, 60);
    let number = this.#numbers.get(stem) ?? 2;
    while (this.#views.has(`${stem}_${number}`)) number += 1;
    // All lower numbers are in use, and names are never released.
    this.#numbers.set(stem, number);
    return `${stem}_${number}`;
  }

  ownerOf(viewName: string): string {
    return this.#views.get(viewName) ?? "another table";
  }

  isTaken(id: string): boolean {
    return this.#ids.has(id.toLowerCase());
  }

  take(id: string, viewName: string): void {
    this.#ids.add(id.toLowerCase());
    this.#views.set(viewName.toLowerCase(), id);
  }
}

/** Tables that can be read are copied; tables that can only be queried are remote. */
function defaultMode(capabilities: readonly Capability[] | undefined): QueryMode {
  if (capabilities === undefined || capabilities.includes("read") || capabilities.includes("stream"))
    return "local";
  return capabilities.includes("remote") || capabilities.includes("query") ? "remote" : "local";
}

/** A vendor's description without characters that the registry rejects. */
function cleanText(text: string): string {
  return text.replace(/[^\P{Cc}\n\r\t]|\p{Cs}/gu, "").slice(0, 20_000);
}
