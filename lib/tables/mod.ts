export { resourcesOf } from "./cascade.ts";
export { nameOf } from "./decide.ts";
export { metadataFreshness } from "./freshness.ts";
export type { MetadataFreshness } from "./freshness.ts";
export { registerCommand } from "./register-command.ts";
export { changeOfStored, storedChange } from "./history.ts";
export type { RegistryChange } from "./history.ts";
export type { ImportOutcome, RegistryDocument } from "./import.ts";
export { parseDataDescription, parseRegistryJson, renderProjection } from "./projections/mod.ts";
export type { ProjectionFormat } from "./projections/mod.ts";
export {
  checkChange,
  checkedQuery,
  checkQueriedColumns,
  checkSourceRules,
  defaultGranularity,
  fromStoredFields,
  libraryName,
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
export { planOfStored, planRegistration, storedPlan } from "./registration.ts";
export type { Candidate, RegistrationPlan } from "./registration.ts";
export { openTableRegistry, TableRegistry } from "./registry.ts";
export { nextDue, parseSchedule } from "./schedule.ts";
export { extractionSettings, folderOf, sourceTableOf, sourceTablesOf } from "./settings.ts";
export type { ExtractionSettings } from "./settings.ts";
export type { RegisteredTable } from "./stored.ts";
export type { ChangeOptions, FolderWrite, TableFilter, TableWrite, Unregistration } from "./types.ts";
export { explainUnknown } from "./unpublished.ts";
