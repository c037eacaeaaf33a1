/** ECR through the real gateway, with the SDK's client, the real store and the real directory. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { IAM } from '@aws-sdk/client-iam';
import { digestOf, OCI_MANIFEST, openRegistryPlatform, pushImage, type RegistryPlatform } from '../../../test/registry/platform.ts';

let platform: RegistryPlatform;
before(async () => {
  platform = await openRegistryPlatform();
});
after(() => platform.close());

let count = 0;
const newRepository = async (more: object = {}) => {
  const repositoryName = `team/app-${count++}`;
  await platform.ecr.createRepository({ repositoryName, ...more });
  return repositoryName;
};
const failure = (name: string, message: RegExp) => (error: unknown) => {
  assert.equal((error as Error).name, name);
  assert.match((error as Error).message, message);
  return true;
};

describe('repositories', () => {
  it('are made, found, changed and deleted', async () => {
    const { ecr } = platform;
    const tags = [{ Key: 'team', Value: 'a' }];
    const { repository } = await ecr.createRepository({
      repositoryName: 'shop/web',
      tags,
      imageScanningConfiguration: { scanOnPush: true },
    });
    assert.equal(repository?.repositoryArn, 'arn:aws:ecr:us-east-1:123456789012:repository/shop/web');
    assert.equal(repository.repositoryUri, `${platform.host}/shop/web`);
    assert.equal(repository.imageTagMutability, 'MUTABLE');
    assert.deepEqual(repository.encryptionConfiguration, { encryptionType: 'AES256' });
    await assert.rejects(
      ecr.createRepository({ repositoryName: 'shop/web' }),
      failure(
        'RepositoryAlreadyExistsException',
        /^The repository with name 'shop\/web' already exists in the registry with id '123456789012'$/,
      ),
    );
    await assert.rejects(
      ecr.createRepository({ repositoryName: 'Shop' }),
      failure('InvalidParameterException', /^Invalid parameter at 'repositoryName' failed to satisfy constraint/),
    );
    for (const encryptionType of ['KMS', 'KMS_DSSE'] as const) {
      const encryptionConfiguration = { encryptionType };
      await assert.rejects(
        ecr.createRepository({ repositoryName: 'shop/sealed', encryptionConfiguration }),
        failure('KmsException', new RegExp(`berth has no KMS, and so no repository with encryptionType ${encryptionType}\\.`)),
      );
    }
    await assert.rejects(
      ecr.describeRepositories({ repositoryNames: ['shop/nothing'] }),
      failure(
        'RepositoryNotFoundException',
        /^The repository with name 'shop\/nothing' does not exist in the registry with id '123456789012'$/,
      ),
    );
    const resourceArn = repository.repositoryArn;
    await ecr.tagResource({ resourceArn, tags: [{ Key: 'cost', Value: '1' }] });
    await ecr.untagResource({ resourceArn, tagKeys: ['team'] });
    assert.deepEqual((await ecr.listTagsForResource({ resourceArn })).tags, [{ Key: 'cost', Value: '1' }]);
    await pushImage(platform, 'shop/web', 'v1');
    await assert.rejects(
      ecr.deleteRepository({ repositoryName: 'shop/web' }),
      failure('RepositoryNotEmptyException', /cannot be deleted because it still contains images$/),
    );
    assert.equal((await ecr.deleteRepository({ repositoryName: 'shop/web', force: true })).repository?.repositoryName, 'shop/web');
    assert.equal((await platform.v2('shop/web/manifests/v1')).status, 404);
  });

  it('come page by page', async () => {
    const names = [await newRepository(), await newRepository(), await newRepository()];
    const seen: string[] = [];
    for (let nextToken: string | undefined, first = true; first || nextToken !== undefined; first = false) {
      const page = await platform.ecr.describeRepositories({ maxResults: 2, ...(nextToken === undefined ? {} : { nextToken }) });
      seen.push(...(page.repositories ?? []).map((one) => one.repositoryName ?? ''));
      nextToken = page.nextToken;
    }
    for (const name of names) assert.ok(seen.includes(name));
    assert.equal(new Set(seen).size, seen.length);
  });

  it('hold what their tag mutability says', async () => {
    const repositoryName = await newRepository({ imageTagMutability: 'IMMUTABLE' });
    await pushImage(platform, repositoryName, 'v1');
    await assert.rejects(
      pushImage(platform, repositoryName, 'v1', 'other'),
      /400 .*TAG_INVALID.*The image tag 'v1' already exists in the '.*' repository and cannot be overwritten because the tag is immutable/,
    );
    await pushImage(platform, repositoryName, 'v1');
    const filters = [{ filterType: 'WILDCARD' as const, filter: 'dev-*' }];
    await platform.ecr.putImageTagMutability({
      repositoryName,
      imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION',
      imageTagMutabilityExclusionFilters: filters,
    });
    await pushImage(platform, repositoryName, 'dev-1', 'one');
    await pushImage(platform, repositoryName, 'dev-1', 'two');
    await assert.rejects(pushImage(platform, repositoryName, 'v1', 'other'), /TAG_INVALID/);
    await assert.rejects(
      platform.ecr.putImageTagMutability({ repositoryName, imageTagMutability: 'IMMUTABLE', imageTagMutabilityExclusionFilters: filters }),
      failure('InvalidParameterException', /no filters/),
    );
  });
});

describe('images', () => {
  it('are pushed by layers and parts, and got again', async () => {
    const { ecr } = platform;
    const repositoryName = await newRepository();
    const blob = Buffer.alloc(5 * 1024 * 1024, 'layer');
    const { uploadId, partSize = 0 } = await ecr.initiateLayerUpload({ repositoryName });
    assert.ok(partSize > 0 && partSize < blob.length);
    await assert.rejects(
      ecr.uploadLayerPart({ repositoryName, uploadId, partFirstByte: 7, partLastByte: 8, layerPartBlob: blob.subarray(7, 9) }),
      failure('InvalidLayerPartException', /the next one begins at byte 0$/),
    );
    for (let at = 0; at < blob.length; at += partSize) {
      const layerPartBlob = blob.subarray(at, at + partSize);
      await ecr.uploadLayerPart({
        repositoryName,
        uploadId,
        partFirstByte: at,
        partLastByte: at + layerPartBlob.length - 1,
        layerPartBlob,
      });
    }
    const wrong = digestOf('other');
    await assert.rejects(
      ecr.completeLayerUpload({ repositoryName, uploadId, layerDigests: [wrong] }),
      failure('InvalidLayerException', /the bytes have the digest/),
    );
    const digest = digestOf(blob);
    assert.equal((await ecr.completeLayerUpload({ repositoryName, uploadId, layerDigests: [digest] })).layerDigest, digest);
    const again = (await ecr.initiateLayerUpload({ repositoryName })).uploadId;
    await assert.rejects(
      ecr.completeLayerUpload({ repositoryName, uploadId: again, layerDigests: [digest] }),
      failure('EmptyUploadException', /has no layer parts/),
    );
    const { layers } = await ecr.batchCheckLayerAvailability({ repositoryName, layerDigests: [digest, wrong] });
    assert.deepEqual(
      layers?.map((one) => one.layerAvailability),
      ['AVAILABLE', 'UNAVAILABLE'],
    );

    const { downloadUrl = '' } = await ecr.getDownloadUrlForLayer({ repositoryName, layerDigest: digest });
    const got = Buffer.from(await (await fetch(downloadUrl)).arrayBuffer());
    assert.equal(createHash('sha256').update(got).digest('hex'), digest.slice(7));
    assert.equal((await fetch(downloadUrl.replace(digest, wrong))).status, 401, 'an address is good for its own layer only');

    const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: blob.length };
    const imageManifest = JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [] });
    const broken = JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config: { ...config, digest: wrong }, layers: [] });
    await assert.rejects(
      ecr.putImage({ repositoryName, imageManifest: broken, imageTag: 'v1' }),
      failure(
        'LayersNotFoundException',
        /^Layers with digests '\[sha256:.*\]' required for pushing image into the repository with name '.*' in the registry with id '123456789012' don't exist$/,
      ),
    );
    const put = await ecr.putImage({ repositoryName, imageManifest, imageTag: 'v1' });
    assert.equal(put.image?.imageId?.imageDigest, digestOf(imageManifest));
    await assert.rejects(
      ecr.putImage({ repositoryName, imageManifest, imageTag: 'v1' }),
      failure('ImageAlreadyExistsException', /already exists in the repository/),
    );
    await ecr.putImage({ repositoryName, imageManifest, imageTag: 'v2' });
    const { images, failures } = await ecr.batchGetImage({ repositoryName, imageIds: [{ imageTag: 'v2' }, { imageTag: 'v3' }] });
    assert.equal(images?.[0]?.imageManifest, imageManifest);
    assert.deepEqual(
      failures?.map((one) => one.failureCode),
      ['ImageNotFound'],
    );
    const { imageDetails } = await ecr.describeImages({ repositoryName });
    assert.deepEqual(imageDetails?.[0]?.imageTags, ['v1', 'v2']);
    assert.equal(imageDetails[0].imageSizeInBytes, blob.length);
    await assert.rejects(
      ecr.describeImages({ repositoryName, imageIds: [{ imageTag: 'v9' }] }),
      failure(
        'ImageNotFoundException',
        /^The image with imageId \{imageDigest:'null', imageTag:'v9'\} does not exist within the repository with name '.*' in the registry with id '123456789012'$/,
      ),
    );
  });

  it('are listed, untagged and deleted; what an index names stays', async () => {
    const { ecr } = platform;
    const repositoryName = await newRepository();
    const child = await pushImage(platform, repositoryName, null, 'child');
    const entry = { mediaType: OCI_MANIFEST, digest: child, size: 1, platform: { os: 'linux', architecture: 'amd64' } };
    const index = JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [entry] });
    await ecr.putImage({ repositoryName, imageManifest: index, imageTag: 'latest' });
    await pushImage(platform, repositoryName, 'old');
    const ids = async (tagStatus: 'TAGGED' | 'UNTAGGED') =>
      (await ecr.listImages({ repositoryName, filter: { tagStatus } })).imageIds ?? [];
    assert.deepEqual((await ids('TAGGED')).map((id) => id.imageTag).toSorted(), ['latest', 'old']);
    assert.deepEqual(await ids('UNTAGGED'), [{ imageDigest: child }]);
    const referenced = await ecr.batchDeleteImage({ repositoryName, imageIds: [{ imageDigest: child }] });
    assert.equal(referenced.failures?.[0]?.failureCode, 'ImageReferencedByManifestList');
    const gone = await ecr.batchDeleteImage({
      repositoryName,
      imageIds: [{ imageTag: 'latest' }, { imageDigest: child }, { imageTag: 'none' }],
    });
    assert.equal(gone.imageIds?.length, 2);
    assert.deepEqual(
      gone.failures?.map((one) => one.failureCode),
      ['ImageNotFound'],
    );
  });

  it('come page by page, each once, also while others go', async () => {
    const { ecr } = platform;
    const repositoryName = await newRepository();
    const tagged = [await pushImage(platform, repositoryName, 'a', 'x'), await pushImage(platform, repositoryName, 'b', 'y')];
    for (const tag of ['c', 'd']) await pushImage(platform, repositoryName, tag, 'y');
    const bare = [await pushImage(platform, repositoryName, null, 'one'), await pushImage(platform, repositoryName, null, 'two')];
    const walk = async <P extends { nextToken?: string | undefined }, T>(ask: (token: object) => Promise<P>, items: (page: P) => T[]) => {
      const seen: T[] = [];
      let page = await ask({ repositoryName, maxResults: 1 });
      for (seen.push(...items(page)); page.nextToken !== undefined; seen.push(...items(page)))
        page = await ask({ repositoryName, maxResults: 1, nextToken: page.nextToken });
      return seen;
    };
    const listed = (filter: object) =>
      walk(
        (wish) => ecr.listImages({ repositoryName, ...filter, ...wish }),
        (page) => page.imageIds ?? [],
      );
    const described = (filter: object) =>
      walk(
        (wish) => ecr.describeImages({ repositoryName, ...filter, ...wish }),
        (page) => page.imageDetails ?? [],
      );
    const of = (tagStatus: 'TAGGED' | 'UNTAGGED') => ({ filter: { tagStatus } });

    assert.deepEqual((await listed({})).map(({ imageTag }) => imageTag), ['a', 'b', 'c', 'd', undefined, undefined]); // prettier-ignore
    assert.deepEqual((await listed(of('TAGGED'))).map(({ imageTag }) => imageTag), ['a', 'b', 'c', 'd']); // prettier-ignore
    assert.deepEqual((await listed(of('UNTAGGED'))).map(({ imageDigest }) => imageDigest), bare.toSorted()); // prettier-ignore
    assert.deepEqual((await described({})).map(({ imageDigest }) => imageDigest), [...tagged, ...bare].toSorted()); // prettier-ignore
    assert.deepEqual((await described(of('UNTAGGED'))).map(({ imageDigest }) => imageDigest), bare.toSorted()); // prettier-ignore
    const shown = await described(of('TAGGED'));
    assert.deepEqual(shown.find(({ imageDigest }) => imageDigest === tagged[1])?.imageTags, ['b', 'c', 'd']);

    const first = await ecr.listImages({ repositoryName, maxResults: 2 });
    await ecr.batchDeleteImage({ repositoryName, imageIds: [{ imageTag: 'a' }, { imageTag: 'b' }] });
    const rest = await ecr.listImages({ repositoryName, nextToken: first.nextToken });
    assert.deepEqual(rest.imageIds?.map(({ imageTag }) => imageTag), ['c', 'd', undefined, undefined]); // prettier-ignore
    await assert.rejects(ecr.listImages({ repositoryName, nextToken: 'x' }), { name: 'InvalidParameterException' });
  });
});

describe('lifecycle policies', () => {
  const rule = (selection: object) =>
    JSON.stringify({ rules: [{ rulePriority: 1, description: 'as few as possible', selection, action: { type: 'expire' } }] }, null, 1);

  it('are kept, previewed and acted on', async () => {
    const { ecr } = platform;
    const repositoryName = await newRepository();
    for (const tag of ['v1', 'v2', 'v3']) await pushImage(platform, repositoryName, tag);
    await assert.rejects(
      ecr.getLifecyclePolicy({ repositoryName }),
      failure('LifecyclePolicyNotFoundException', /^Lifecycle policy does not exist for the repository/),
    );
    const lifecyclePolicyText = rule({ tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 1 });
    await assert.rejects(
      ecr.putLifecyclePolicy({
        repositoryName,
        lifecyclePolicyText: rule({ tagStatus: 'tagged', countType: 'imageCountMoreThan', countNumber: 1 }),
      }),
      failure('InvalidParameterException', /needs one of tagPrefixList and tagPatternList/),
    );
    await ecr.startLifecyclePolicyPreview({ repositoryName, lifecyclePolicyText });
    const preview = await ecr.getLifecyclePolicyPreview({ repositoryName });
    assert.equal(preview.summary?.expiringImageTotalCount, 2);
    assert.deepEqual(preview.previewResults?.flatMap((one) => one.imageTags ?? []).toSorted(), ['v1', 'v2']);
    await ecr.putLifecyclePolicy({ repositoryName, lifecyclePolicyText });
    assert.equal((await ecr.getLifecyclePolicy({ repositoryName })).lifecyclePolicyText, lifecyclePolicyText);
    await platform.registry.applyLifecycles();
    assert.deepEqual(
      (await ecr.listImages({ repositoryName })).imageIds?.map((id) => id.imageTag),
      ['v3'],
    );
    assert.ok((await ecr.getLifecyclePolicy({ repositoryName })).lastEvaluatedAt instanceof Date);
    await ecr.deleteLifecyclePolicy({ repositoryName });
    await assert.rejects(ecr.deleteLifecyclePolicy({ repositoryName }), failure('LifecyclePolicyNotFoundException', /./));
  });
});

describe('who may', () => {
  it('pull and push is said by users, their policies and the repository', async () => {
    const { ecr, endpoint } = platform;
    const iam = new IAM({ endpoint, region: 'us-east-1', maxAttempts: 1, credentials: await ecr.config.credentials() });
    const repositoryName = await newRepository();
    await pushImage(platform, repositoryName, 'v1');
    await iam.createUser({ UserName: 'ci' });
    const { AccessKey: key } = await iam.createAccessKey({ UserName: 'ci' });
    const client = platform.client({ accessKeyId: key?.AccessKeyId ?? '', secretAccessKey: key?.SecretAccessKey ?? '', account: '' });
    await assert.rejects(
      client.getAuthorizationToken({}),
      failure('AccessDeniedException', /not authorized to perform: ecr:GetAuthorizationToken on resource: \*/),
    );
    const allow = (...actions: string[]) =>
      JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: actions, Resource: '*' }] });
    await iam.putUserPolicy({ UserName: 'ci', PolicyName: 'p', PolicyDocument: allow('ecr:GetAuthorizationToken', 'ecr:BatchGetImage') });
    const { authorizationData } = await client.getAuthorizationToken({});
    const [user = '', password = ''] = Buffer.from(authorizationData?.[0]?.authorizationToken ?? '', 'base64')
      .toString()
      .split(':');
    assert.equal(user, 'AWS');
    const authorization = platform.basic(user, password);
    assert.equal((await platform.v2(`${repositoryName}/manifests/v1`, { authorization })).status, 200);
    const push = () => platform.v2(`${repositoryName}/blobs/uploads/`, { method: 'POST', authorization });
    const denied = await push();
    assert.equal(denied.status, 403);
    assert.match(
      await denied.text(),
      /DENIED.*user\/ci is not authorized to perform: ecr:InitiateLayerUpload on resource: arn:aws:ecr:us-east-1:123456789012:repository/,
    );
    // The repository's own policy allows this very user, and then denies it what its own policies allow.
    const principal = { AWS: 'arn:aws:iam::123456789012:user/ci' };
    const policy = (Effect: string, Action: string) =>
      JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect, Principal: principal, Action }] });
    await ecr.setRepositoryPolicy({ repositoryName, policyText: policy('Allow', 'ecr:InitiateLayerUpload') });
    assert.equal((await push()).status, 202);
    // The condition keys are the same with such a policy and without.
    const Condition = { StringNotEquals: { 'aws:ResourceAccount': '123456789012' } };
    const within = { Version: '2012-10-17', Statement: [{ Effect: 'Deny', Action: '*', Resource: '*', Condition }] };
    await iam.putUserPolicy({ UserName: 'ci', PolicyName: 'within', PolicyDocument: JSON.stringify(within) });
    assert.equal((await platform.v2(`${repositoryName}/manifests/v1`, { authorization })).status, 200);
    await ecr.setRepositoryPolicy({ repositoryName, policyText: policy('Deny', 'ecr:BatchGetImage') });
    assert.equal((await platform.v2(`${repositoryName}/manifests/v1`, { authorization })).status, 403);
    assert.match((await ecr.getRepositoryPolicy({ repositoryName })).policyText ?? '', /Deny/);
    await ecr.deleteRepositoryPolicy({ repositoryName });
    await assert.rejects(
      ecr.getRepositoryPolicy({ repositoryName }),
      failure('RepositoryPolicyNotFoundException', /^Repository policy does not exist/),
    );
    await assert.rejects(
      ecr.setRepositoryPolicy({ repositoryName, policyText: '{"Statement":[]}' }),
      failure('InvalidParameterException', /Invalid repository policy provided/),
    );
    for (const wrong of [null, platform.basic('AWS', 'nonsense'), platform.basic(key?.AccessKeyId ?? '', 'wrong')]) {
      const answer = await platform.v2('', { authorization: wrong });
      assert.equal(answer.status, 401);
      assert.equal(answer.headers.get('www-authenticate'), `Basic realm="http://${platform.host}/",service="ecr.amazonaws.com"`);
    }
    iam.destroy();
    client.destroy();
  });
});

it('refuses by name what berth has not', async () => {
  await assert.rejects(platform.ecr.startImageScan({ repositoryName: 'aa', imageId: { imageTag: 'x' } }), (error: Error) =>
    /StartImageScan/.test(error.message),
  );
});
