export type { CleaningFailure, Resource, UnregisterEvent, UnregisterListener } from "./cascade.ts";
export { registerCommand } from "./register-command.ts";
export { filterPlaceholders, resolveFilters } from "./filters.ts";
export type { WhereFilter } from "./filters.ts";
export type { FolderAudit, RegistryChange, TableAudit } from "./history.ts";
export type {
  DocumentTable,
  ImportedFolder,
  ImportedTable,
  ImportFailure,
  ImportOutcome,
  RegistryDocument,
} from "./import.ts";
export {
  auditLines,
  parseDataDescription,
  parseRegistryJson,
  renderDataDescription,
  renderProjection,
  renderRegistryJson,
  snapshotOf,
  writeProjection,
} from "./projections/mod.ts";
export type { ParseOptions, ProjectionFormat, ProjectionOptions } from "./projections/mod.ts";
export {
  checkSourceRules,
  defaultGranularity,
  queryModes,
  sourceMetadataProblem,
  tableChange,
  tableDefaults,
  tableFieldNames,
} from "./record/mod.ts";
export type {
  CheckTable,
  Granularity,
  QueryMode,
  SchemaPolicy,
  Strategy,
  TableChange,
  TableRecord,
  TableSettings,
} from "./record/mod.ts";
export { planRegistration } from "./registration.ts";
export type { Candidate, Drift, PlanOptions, RegistrationPlan } from "./registration.ts";
export { openTableRegistry, TableRegistry } from "./registry.ts";
export type { TableRegistryOptions } from "./registry.ts";
export { isDue, nextDue, parseSchedule } from "./schedule.ts";
export type { Schedule } from "./schedule.ts";
export { extractionSettings, folderOf, sourceTableOf, sourceTablesOf } from "./settings.ts";
export type { ExtractionSettings } from "./settings.ts";
export type { RegisteredTable } from "./stored.ts";
export type {
  ChangeOptions,
  DiscoverOptions,
  FolderWrite,
  ImportOptions,
  RegistryHistoryOptions,
  RegistrySnapshot,
  TableFilter,
  TableWrite,
  Unregistration,
} from "./types.ts";
export { explainUnknown } from "./unpublished.ts";
