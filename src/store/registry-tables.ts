/** Tables of berth's own registry. */
import type { EcrImageRecord, EcrLayerRecord, EcrTagRecord, PullThroughRecord, RepositoryRecord } from '#domain/ecr.ts';
import { wholeRows } from './rows.ts';
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

export type RegistryReads = {
  ecrRepositories: Rows<RepositoryRecord>;
  ecrImages: Rows<EcrImageRecord>;
  ecrTags: Rows<EcrTagRecord>;
  ecrLayers: Rows<EcrLayerRecord>;
  pullThroughRules: Rows<PullThroughRecord>;
  /** Whether any repository has this blob, or this manifest. */
  isBlobUsed(digest: string): Promise<boolean>;
};
export type RegistryWrites = Pick<RegistryReads, 'isBlobUsed'> & {
  ecrRepositories: WritableRows<RepositoryRecord>;
  ecrImages: WritableRows<EcrImageRecord>;
  ecrTags: WritableRows<EcrTagRecord>;
  ecrLayers: WritableRows<EcrLayerRecord>;
  pullThroughRules: WritableRows<PullThroughRecord>;
};

const scope = ['account', 'region'];
const USED = 'SELECT 1 FROM ecr_layers WHERE digest = ? UNION ALL SELECT 1 FROM ecr_images WHERE digest = ? LIMIT 1';

const ofRepository = [...scope, 'repository'];

/** How each is made of a session. */
export const registryMakers: { [K in keyof RegistryWrites]: (session: Session) => RegistryWrites[K] } = {
  ecrRepositories: (session) => wholeRows(session, { name: 'ecrRepositories', table: 'ecr_repositories', columns: [...scope, 'name'] }),
  ecrImages: (session) => wholeRows(session, { name: 'ecrImages', table: 'ecr_images', columns: [...ofRepository, 'digest'] }),
  ecrTags: (session) => wholeRows(session, { name: 'ecrTags', table: 'ecr_tags', columns: [...ofRepository, 'tag'] }),
  ecrLayers: (session) => wholeRows(session, { name: 'ecrLayers', table: 'ecr_layers', columns: [...ofRepository, 'digest'] }),
  pullThroughRules: (session) =>
    wholeRows(session, { name: 'pullThroughRules', table: 'ecr_pull_through_rules', columns: [...scope, 'prefix'] }),
  isBlobUsed: (session) => async (digest) => session.db().first(USED, [digest, digest]) !== undefined,
};
