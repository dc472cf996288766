import { isExposedName, toExposedName } from "../base/mod.ts";
import { sourceTableNames, tableId, type TableRecord } from "./record/mod.ts";

/** The name of a table of an earlier system in this registry. */
export interface EarlierName {
  readonly name: string;
  /** Missing if the table is already registered: its view keeps its name. */
  readonly viewName?: string;
  readonly notes: readonly string[];
}

/**
 * Assigns names to tables of an earlier system, whose ids are the source's own and whose names may not be unique. The
 * first table with a name gets it. A registered table keeps its names, so importing again changes nothing.
 */
export class EarlierNames {
  readonly #ids = new Set<string>();
  readonly #views = new Map<string, string>();
  readonly #bySourceTable = new Map<string, TableRecord>();

  constructor(present: readonly TableRecord[]) {
    for (const record of present) this.take(record);
  }

  /** @param wanted the name of the table in the earlier system */
  nameOf(source: string, sourceTable: string, wanted: string): EarlierName {
    const usable = isExposedName(wanted) && !wanted.startsWith("_") ? wanted : toExposedName(wanted);
    const registered = this.#bySourceTable.get(JSON.stringify([source, sourceTable]));
    if (registered !== undefined) {
      const { id, name, viewName: view } = registered;
      return { name, notes: view === wanted ? [] : [`${id} keeps its view ${view}`] };
    }
    const name = this.#freeName(source, usable, sourceTable);
    const viewName = this.#freeView(source, name);
    const why = usable === wanted ? "" : `, because ${JSON.stringify(wanted)} is not a valid SQL name`;
    const notes = [
      ...(name === wanted ? [] : [`named ${name}${name === usable ? why : this.#owned(source, usable)}`]),
      ...(viewName === name
        ? []
        : [`its view is ${viewName}, because ${name} is the view of ${this.#views.get(name.toLowerCase())}`]),
    ];
    return { name, viewName, notes };
  }

  /** Reserves the id, view name and source table of a table. */
  take(record: TableRecord): void {
    this.#ids.add(record.id.toLowerCase());
    this.#views.set(record.viewName.toLowerCase(), record.id);
    for (const name of sourceTableNames(record))
      this.#bySourceTable.set(JSON.stringify([record.source, name]), record);
  }

  #freeName(source: string, short: string, sourceTable: string): string {
    const isFree = (name: string) => !this.#ids.has(tableId(source, name).toLowerCase());
    return isFree(short) ? short : firstFree(toExposedName(sourceTable), isFree);
  }

  #freeView(source: string, name: string): string {
    const isFree = (view: string) => !this.#views.has(view.toLowerCase());
    return isFree(name) ? name : firstFree(`${source}_${name}`.slice(0, 64).toLowerCase(), isFree);
  }

  #owned(source: string, name: string): string {
    return `, because another table of ${source} has the name ${name}`;
  }
}

function firstFree(long: string, isFree: (name: string) => boolean): string {
  for (let number = 2, candidate = long; ; number += 1) {
    if (isFree(candidate)) return candidate;
    candidate = `${long.slice(0, 59)}_${number}`;
  }
}
