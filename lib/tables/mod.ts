export { registerCommand } from "./register-command.ts";
export { storedChange } from "./history.ts";
export type { RegistryChange } from "./history.ts";
export type { ImportOutcome, RegistryDocument } from "./import.ts";
export { parseDataDescription, parseRegistryJson, renderProjection } from "./projections/mod.ts";
export type { ProjectionFormat } from "./projections/mod.ts";
export {
  checkedQuery,
  checkQueriedColumns,
  checkSourceRules,
  defaultGranularity,
  fromStoredFields,
  queryModes,
  sourceMetadataProblem,
  storedFieldNames,
  storedName,
  tableChange,
  tableDefaults,
  tableFieldNames,
  toStoredFields,
} from "./record/mod.ts";
export type {
  Granularity,
  QueryMode,
  SchemaPolicy,
  StoredFieldName,
  Strategy,
  TableChange,
  TableRecord,
  TableSettings,
} from "./record/mod.ts";
export { planRegistration, storedPlan } from "./registration.ts";
export type { Candidate, RegistrationPlan } from "./registration.ts";
export { openTableRegistry, TableRegistry } from "./registry.ts";
export { isDue, parseSchedule } from "./schedule.ts";
export { extractionSettings, folderOf, sourceTableOf, sourceTablesOf } from "./settings.ts";
export type { ExtractionSettings } from "./settings.ts";
export type { RegisteredTable } from "./stored.ts";
export type { ChangeOptions, FolderWrite, TableFilter, TableWrite, Unregistration } from "./types.ts";
export { explainUnknown } from "./unpublished.ts";
