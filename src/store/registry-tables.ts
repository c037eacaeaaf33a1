/** Tables of berth's own registry. */
import type { EcrImageRecord, EcrLayerRecord, EcrTagRecord, PullThroughRecord, RepositoryRecord } from '#domain/ecr.ts';
import { rowsWhere, wholeRows, type RowShape } from './rows.ts';
import type { Session } from './session.ts';
import type { Rows, WritableRows } from './types.ts';

export const REGISTRY_STEP = `
  CREATE TABLE ecr_repositories (account TEXT, region TEXT, name TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, name)) STRICT, WITHOUT ROWID;
  CREATE TABLE ecr_images (account TEXT, region TEXT, repository TEXT, digest TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, repository, digest)) STRICT, WITHOUT ROWID;
  CREATE INDEX ecr_images_by_digest ON ecr_images (digest);
  CREATE TABLE ecr_tags (account TEXT, region TEXT, repository TEXT, tag TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, repository, tag)) STRICT, WITHOUT ROWID;
  CREATE TABLE ecr_layers (account TEXT, region TEXT, repository TEXT, digest TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, repository, digest)) STRICT, WITHOUT ROWID;
  CREATE INDEX ecr_layers_by_digest ON ecr_layers (digest);
  CREATE TABLE ecr_pull_through_rules (account TEXT, region TEXT, prefix TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, prefix)) STRICT, WITHOUT ROWID;
  `;

export const REGISTRY_PAGES_STEP = `
  CREATE INDEX ecr_tags_by_digest ON ecr_tags (account, region, repository, body ->> 'digest');
  `;

export type OfRepository = { account: string; region: string; repository: string };
/** `after`: the tag or digest that the page comes behind; '' for the first. */
export type RegistryPage = { after: string; limit: number };

/** A repository may have more than is read whole for one answer. */
export type RegistryLookups = {
  /** Whether any repository has this blob, or this manifest. */
  isBlobUsed(digest: string): Promise<boolean>;
  imageCount(of: OfRepository): Promise<number>;
  /** `tagged`: only those that have a tag, or that have none; null for all. */
  imagePage(of: OfRepository, tagged: boolean | null, page: RegistryPage): Promise<EcrImageRecord[]>;
  /** Those whose manifest names this digest: as a blob, as a child, as its subject. */
  imagesNaming(of: OfRepository, digest: string): Promise<EcrImageRecord[]>;
  tagPage(of: OfRepository, page: RegistryPage): Promise<EcrTagRecord[]>;
  /** At most `limit` of them. */
  tagsOfDigest(of: OfRepository, digest: string, limit?: number): Promise<EcrTagRecord[]>;
};

export type RegistryReads = RegistryLookups & {
  ecrRepositories: Rows<RepositoryRecord>;
  ecrImages: Rows<EcrImageRecord>;
  ecrTags: Rows<EcrTagRecord>;
  ecrLayers: Rows<EcrLayerRecord>;
  pullThroughRules: Rows<PullThroughRecord>;
};
export type RegistryWrites = RegistryLookups & {
  ecrRepositories: WritableRows<RepositoryRecord>;
  ecrImages: WritableRows<EcrImageRecord>;
  ecrTags: WritableRows<EcrTagRecord>;
  ecrLayers: WritableRows<EcrLayerRecord>;
  pullThroughRules: WritableRows<PullThroughRecord>;
};

const scope = ['account', 'region'];
const USED = 'SELECT 1 FROM ecr_layers WHERE digest = ? UNION ALL SELECT 1 FROM ecr_images WHERE digest = ? LIMIT 1';

const ofRepository = [...scope, 'repository'];
const images: RowShape = { name: 'ecrImages', table: 'ecr_images', columns: [...ofRepository, 'digest'] };
const tags: RowShape = { name: 'ecrTags', table: 'ecr_tags', columns: [...ofRepository, 'tag'] };
const HERE = 'account = ? AND region = ? AND repository = ?';
// The index is named and the column has a plus before it: else SQLite compares by the column's affinity, and reads every tag for each image.
const TAGGED =
  "EXISTS (SELECT 1 FROM ecr_tags t INDEXED BY ecr_tags_by_digest WHERE t.account = i.account AND t.region = i.region AND t.repository = i.repository AND t.body ->> 'digest' = +i.digest)";
const here = ({ account, region, repository }: OfRepository) => [account, region, repository];

const lookups: { [K in keyof RegistryLookups]: (session: Session) => RegistryLookups[K] } = {
  isBlobUsed: (session) => async (digest) => session.db().first(USED, [digest, digest]) !== undefined,
  imageCount: (session) => async (of) =>
    Number(session.db().first(`SELECT count(*) AS n FROM ecr_images WHERE ${HERE}`, here(of))?.['n'] ?? 0),
  imagePage: (session) => async (of, tagged, page) => {
    const only = tagged === null ? '' : ` AND ${tagged ? '' : 'NOT '}${TAGGED}`;
    const where = `FROM ecr_images i WHERE ${HERE} AND digest > ?${only} ORDER BY digest LIMIT ?`;
    return rowsWhere(session, images, where, [...here(of), page.after, page.limit]);
  },
  imagesNaming: (session) => async (of, digest) => {
    const found = rowsWhere<EcrImageRecord>(session, images, `FROM ecr_images WHERE ${HERE} AND instr(body, ?) > 0`, [...here(of), digest]);
    return found.filter(({ blobs, children, subject }) => [...blobs, ...children, subject].includes(digest));
  },
  tagPage: (session) => async (of, page) =>
    rowsWhere(session, tags, `FROM ecr_tags WHERE ${HERE} AND tag > ? ORDER BY tag LIMIT ?`, [...here(of), page.after, page.limit]),
  tagsOfDigest:
    (session) =>
    async (of, digest, limit = -1) => {
      const where = `FROM ecr_tags INDEXED BY ecr_tags_by_digest WHERE ${HERE} AND body ->> 'digest' = ? ORDER BY tag LIMIT ?`;
      return rowsWhere(session, tags, where, [...here(of), digest, limit]);
    },
};

/** How each is made of a session. */
export const registryMakers: { [K in keyof RegistryWrites]: (session: Session) => RegistryWrites[K] } = {
  ecrRepositories: (session) => wholeRows(session, { name: 'ecrRepositories', table: 'ecr_repositories', columns: [...scope, 'name'] }),
  ecrImages: (session) => wholeRows(session, images),
  ecrTags: (session) => wholeRows(session, tags),
  ecrLayers: (session) => wholeRows(session, { name: 'ecrLayers', table: 'ecr_layers', columns: [...ofRepository, 'digest'] }),
  pullThroughRules: (session) =>
    wholeRows(session, { name: 'pullThroughRules', table: 'ecr_pull_through_rules', columns: [...scope, 'prefix'] }),
  ...lookups,
};
