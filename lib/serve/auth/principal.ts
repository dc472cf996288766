/** The role of a principal: administrators manage the workspace, analysts read tables. */
export type Role = "admin" | "analyst";

/** The tables that a principal may access: those that any of the lists has. Names match in any case. */
export interface Grants {
  /** Ids of tables, `source.table`. */
  readonly tables: readonly string[];
  /** Names of sources, for all their tables. */
  readonly sources: readonly string[];
  /** Folders, for the tables that have them or whose bucket the folder mapping puts there. */
  readonly folders: readonly string[];
}

/** Who makes a request. */
export interface Principal {
  /** The id of its token. */
  readonly id: string;
  /** The name of its token, for people. */
  readonly name: string;
  readonly role: Role;
  /** The tables it may access; null: all. Administrators may access all. */
  readonly grants: Grants | null;
  /** When its token expires, ISO 8601; null: never. */
  readonly expiresAt: string | null;
}
