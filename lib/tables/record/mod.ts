export { checkChange, checkFolder } from "./check.ts";
export { defaultGranularity, queryModes } from "./choices.ts";
export type { Granularity, QueryMode, SchemaPolicy, Strategy } from "./choices.ts";
export { isPlainObject, kindOf } from "./json.ts";
export { changedFields, changedRecord, nonDefaultFields, newSettings, settingsOf } from "./merge.ts";
export { defaultName, isVendorName, sourceTableNames, tableId } from "./names.ts";
export { checkSourceRules } from "./rules.ts";
export {
  documentationKeys,
  sourceMetadataProblem,
  tableChange,
  tableDefaults,
  tableFieldNames,
} from "./schema.ts";
export type { TableChange, TableRecord, TableSettings } from "./schema.ts";
export type { CheckTable } from "./rules.ts";
export { changedUnread, withoutEarlierDefault, withoutUnread } from "./unread.ts";
