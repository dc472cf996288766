export { checkChange, checkFolder } from "./check.ts";
export { defaultGranularity, queryModes } from "./choices.ts";
export type { Granularity, QueryMode, SchemaPolicy, Strategy } from "./choices.ts";
export { isPlainObject, kindOf } from "./json.ts";
export { changedFields, changedRecord, nonDefaultFields, newSettings, settingsOf } from "./merge.ts";
export { defaultName, isVendorName, sourceTableNames, tableId } from "./names.ts";
export { checkSourceRules } from "./rules.ts";
export { documentationKeys, sourceMetadataProblem, storedFieldNames, tableChange } from "./schema.ts";
export type { StoredChange, StoredFieldName } from "./schema.ts";
export { tableDefaults } from "./settings.ts";
export type { TableChange, TableRecord, TableSettings } from "./settings.ts";
export {
  fromStoredFields,
  storedName,
  tableFieldNames,
  toStoredChange,
  toStoredFields,
} from "./stored-fields.ts";
export type { CheckTable } from "./rules.ts";
export { changedUnread, withoutEarlierDefault, withoutUnread } from "./unread.ts";
