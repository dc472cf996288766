export { profileMemoryMb } from "./engine.ts";
export { Profiles, type ProfileOptions } from "./profiles.ts";
export { ProfileUpdates, type ProfileOutcome, type ProfileProcess } from "./updates.ts";
export { isProfile } from "./store.ts";
export type {
  AlertType,
  BooleanStats,
  ColumnAlert,
  ColumnProfile,
  DateStats,
  Histogram,
  NumericStats,
  ProfileValue,
  RelatedTable,
  StringStats,
  TableProfile,
  TypeCategory,
} from "./types.ts";
