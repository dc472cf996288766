import { basename, dirname, join } from "node:path";

import {
  AgnesError,
  isAgnesError,
  makeDirectoryDurably,
  temporaryPath,
  type Files,
  type Host,
} from "../base/mod.ts";
import { copiedTable, type PublishedTable } from "../extract/mod.ts";
import { dataPaths } from "../workspace/mod.ts";
import {
  allMade,
  isMade,
  readMadeFiles,
  removeMade,
  takenPath,
  writeMadeFiles,
  type MadeFile,
  type MadeFiles,
} from "./layout-files.ts";
import type { ManifestTable } from "./manifest.ts";
import { checkNoLink } from "./no-links.ts";
import { FOLDER } from "./register.ts";
import type { PullServices } from "./types.ts";

/** The folder of `--layout folders` in the workspace. */
const LAYOUT_FOLDER = "parquet";

/** A part and where it is on the disk. */
interface PlacedPart {
  readonly path: string;
  /** The name of its file in the folder of the table. */
  readonly name: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** A table as one file, or as a folder of files. */
interface Place {
  /** Relative to the folder of the layout. */
  readonly path: string;
  readonly isFolder: boolean;
  readonly parts: readonly PlacedPart[];
}

/** The folder of the layout and what pulls made in it. */
interface Layout {
  readonly root: string;
  readonly made: MadeFiles;
}

type Published = Pick<PublishedTable, "parts">;
/** What decides where the files of a table are. */
type NamedTable = Pick<ManifestTable, "id" | "source" | "viewName" | "folder">;

/** The layout of a workspace; null if it has none and none is requested. @throws `copy_unreadable` */
async function openLayout(
  { host, workspace }: PullServices,
  layout: "folders" | undefined,
): Promise<Layout | null> {
  const root = join(workspace.directory, LAYOUT_FOLDER);
  const made = await readMadeFiles(host, workspace.dataDirectory);
  // Whoever removes the folder does not want it any more.
  const isKept = made !== null && (await host.files.stat(root)) !== null;
  return layout === undefined && !isKept ? null : { root, made: made ?? new Map() };
}

/**
 * Checks that the files of all tables have a place, before anything is changed.
 * @throws `pull_layout_taken` if a file that no pull made is in the way, `pull_link_found`, `copy_unreadable`
 */
export async function checkLayout(
  services: PullServices,
  tables: readonly ManifestTable[],
  requested: "folders" | undefined,
): Promise<void> {
  const layout = await openLayout(services, requested);
  if (layout === null) return;
  const { host, workspace } = services;
  await checkNoLink(host.files, layout.root, workspace.directory);
  const targets = new Map(
    tables.flatMap(({ id, source, copy }) =>
      copy === null
        ? []
        : [[id, copiedTable(dataPaths.extract(workspace.dataDirectory, source), copy)] as const],
    ),
  );
  const listed = tables.filter(({ id }) => targets.has(id));
  for (const place of placesOf(workspace.dataDirectory, listed, targets).places) {
    const taken = await takenPath(host.files, layout, place);
    if (taken !== null) throw new AgnesError("pull_layout_taken", { path: join(layout.root, taken) });
  }
}

/**
 * Lays tables out as `parquet/<folder>/<view>.parquet`, or as a folder of that name if a table has several parts. The files
 * are hard links to the parts, or copies where the file system has no links. What earlier pulls made and no table has is
 * removed; files of others stay.
 *
 * @param requested undefined: only if an earlier pull did so
 * @returns notes about tables without a place
 * @throws `copy_unreadable`, `file_failed`, `disk_full`
 */
export async function layOut(
  services: PullServices,
  tables: readonly NamedTable[],
  published: ReadonlyMap<string, Published>,
  requested: "folders" | undefined,
): Promise<readonly string[]> {
  const layout = await openLayout(services, requested);
  if (layout === null) return [];
  const { host, workspace } = services;
  const { dataDirectory } = workspace;
  const { root, made } = layout;
  const { places, notes } = placesOf(dataDirectory, tables, published);
  const wanted = new Map<string, readonly MadeFile[]>();
  const temporary = new Map<string, readonly MadeFile[]>();
  const changes: Change[] = [];
  for (const place of places) {
    const taken = await takenPath(host.files, layout, place);
    if (taken !== null) {
      notes.push(`${place.path} is not updated: ${join(root, taken)} was not made by a pull`);
      continue;
    }
    const files = await filesOf(host, place);
    for (const [path, file] of files) wanted.set(path, file);
    if (await isCurrent(host, layout, place)) continue;
    const change = { place, next: temporaryPath(host, place.path), before: temporaryPath(host, place.path) };
    changes.push(change);
    for (const [path, file] of files) temporary.set(change.next + path.slice(place.path.length), file);
    for (const [path, file] of made)
      if (path === place.path || path.startsWith(`${place.path}/`))
        temporary.set(change.before + path.slice(place.path.length), file);
  }
  await host.files.makeDirectory(root);
  // Before anything is made, so that a later pull knows what a stopped one left.
  await writeMadeFiles(host, dataDirectory, allMade(allMade(made, wanted), temporary));
  for (const change of changes) await setPlace(host, layout, change);
  const stale = [...made, ...temporary].filter(([path]) => !wanted.has(path));
  await removeMade(host.files, root, new Map(stale));
  await writeMadeFiles(host, dataDirectory, wanted);
  return notes;
}

/** The places of tables. */
function placesOf(
  dataDirectory: string,
  tables: readonly NamedTable[],
  published: ReadonlyMap<string, Published>,
): { readonly places: readonly Place[]; readonly notes: string[] } {
  const places: Place[] = [];
  const notes: string[] = [];
  const inFolders = tables.map((table) => ({
    table,
    folder: table.folder !== null && FOLDER.test(table.folder) ? `${table.folder}/` : "",
  }));
  const used = new Set<string>();
  const folders = inFolders.map(({ folder }) => folder.toLowerCase());
  for (const { table, folder } of inFolders) {
    const directory = dataPaths.extract(dataDirectory, table.source);
    const all = published.get(table.id)!.parts;
    const isFolder = all.length !== 1;
    const path = `${folder}${table.viewName ?? table.id}${isFolder ? "" : ".parquet"}`;
    // The file system may ignore case.
    const key = path.toLowerCase();
    if (folders.some((other) => other.startsWith(`${key}/`)))
      notes.push(`${table.id} has no files: ${path} is also a folder of other tables`);
    else if (used.has(key)) notes.push(`${table.id} has no files: ${path} is also the name of another table`);
    else places.push({ path, parts: named(directory, all), isFolder });
    used.add(key);
  }
  return { places, notes };
}

/** The parts with the names of their files. Parts of equal content are one file, but their rows count several times. */
function named(directory: string, parts: PublishedTable["parts"]): readonly PlacedPart[] {
  const counts = new Map<string, number>();
  return parts.map(({ path, sha256, sizeBytes }) => {
    const count = (counts.get(path) ?? 0) + 1;
    counts.set(path, count);
    const name = count === 1 ? basename(path) : basename(path).replace(/(?=\.parquet$)/, `-${count}`);
    return { path: join(directory, path), name, sha256, sizeBytes };
  });
}

/** The files of a place, by their paths relative to the folder of the layout. */
async function filesOf({ files }: Host, { path, isFolder, parts }: Place): Promise<MadeFiles> {
  const made = new Map<string, readonly MadeFile[]>();
  for (const { path: part, name, sha256, sizeBytes } of parts) {
    const id = (await files.identify(part))?.id ?? null;
    made.set(isFolder ? `${path}/${name}` : path, [{ sha256, sizeBytes, id }]);
  }
  return made;
}

/** A place to change, with temporary paths relative to the folder of the layout. */
interface Change {
  readonly place: Place;
  /** Where it is made. */
  readonly next: string;
  /** Where its earlier folder is for a moment. */
  readonly before: string;
}

/** Makes a place current: a file by one rename, a folder by two. */
async function setPlace(host: Host, { root, made }: Layout, change: Change): Promise<void> {
  const { files } = host;
  const { isFolder, parts } = change.place;
  const [path, next, before] = [change.place.path, change.next, change.before].map((one) =>
    join(root, one),
  ) as [string, string, string];
  await removeParents(files, { root, made }, change.place.path);
  await makeDirectoryDurably(files, dirname(path));
  if (isFolder) {
    await files.makeDirectory(next);
    for (const part of parts) await place(host, part.path, join(next, part.name));
  } else await place(host, parts[0]!.path, next);
  const found = await files.identify(path);
  if (found === null || (found.kind !== "directory" && !isFolder)) await files.rename(next, path);
  else {
    await files.rename(path, before);
    await files.rename(next, path);
    await keepOthers(files, { root, made }, change);
  }
  await files.sync(dirname(path));
}

/** Removes files of an earlier layout where there must be folders now. */
async function removeParents(files: Files, { root, made }: Layout, path: string): Promise<void> {
  for (let at = dirname(path); at !== "."; at = dirname(at))
    if (await isMade(files, join(root, at), made.get(at))) await files.remove(join(root, at));
}

/** Moves what others put into an earlier folder of a table to the current one. */
async function keepOthers(
  files: Files,
  { root, made }: Layout,
  { place: { path, isFolder }, before }: Change,
): Promise<void> {
  if ((await files.identify(join(root, before)))?.kind !== "directory")
    return files.remove(join(root, before));
  for (const name of (await files.list(join(root, before))) ?? []) {
    const old = join(root, before, name);
    if (await isMade(files, old, made.get(`${path}/${name}`))) await files.remove(old);
    else if (isFolder && (await files.identify(join(root, path, name))) === null)
      await files.rename(old, join(root, path, name));
  }
  // A file of others whose name a part has stays where it is.
  if ((await files.list(join(root, before)))?.length === 0) await files.removeDirectory(join(root, before));
}

/** Whether a place has these parts, and no other files of pulls. */
async function isCurrent({ files }: Host, { root, made }: Layout, place: Place): Promise<boolean> {
  const { path, isFolder, parts } = place;
  if (!isFolder) return isSameFile(files, parts[0]!.path, join(root, path));
  const found = await files.identify(join(root, path));
  if (found?.kind !== "directory") return false;
  const names = new Set(parts.map(({ name }) => name));
  for (const name of (await files.list(join(root, path))) ?? [])
    if (!names.has(name) && made.has(`${path}/${name}`)) return false;
  for (const part of parts)
    if (!(await isSameFile(files, part.path, join(root, path, part.name)))) return false;
  return true;
}

/** Whether a file is a link to a part. A copy is made again, because its content is not known. */
async function isSameFile(files: Files, part: string, path: string): Promise<boolean> {
  const [first, second] = [await files.identify(part), await files.identify(path)];
  return first !== null && first.id === second?.id;
}

/** Links a part, or copies it where the file system has no links. */
async function place({ files }: Host, part: string, path: string): Promise<void> {
  try {
    await files.link(part, path);
  } catch (error) {
    if (!isAgnesError(error, "file_failed")) throw error;
    await files.writeChunks(path, files.readChunks(part, 1024 * 1024));
    await files.chmod(path, 0o644);
    await files.sync(path);
  }
}
