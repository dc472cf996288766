import type { FileColumn } from "../../../kit/mod.ts";
import type { ColumnMisfits } from "../opened-file.ts";
import type { Misfit } from "./problem.ts";

/** Counts the values of a file that do not fit, by column. */
export class MisfitsByColumn {
  readonly #columns: ReadonlyMap<string, FileColumn>;
  readonly #found = new Map<string, ColumnMisfits>();

  constructor(columns: readonly FileColumn[]) {
    this.#columns = new Map(columns.map((column) => [column.key ?? column.name, column]));
  }

  get misfits(): readonly ColumnMisfits[] {
    return [...this.#found.values()];
  }

  /** @param key the key of the column of the value */
  add(key: string, { value }: Misfit, mayWiden: boolean): void {
    const { name, type } = this.#columns.get(key)!;
    const before = this.#found.get(name) ?? { column: name, type, example: value, values: 0 };
    const wider = mayWiden ? { widens: value } : {};
    this.#found.set(name, { ...wider, ...before, values: before.values + 1 });
  }
}
