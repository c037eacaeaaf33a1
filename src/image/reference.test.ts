import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { isFault } from '#base/fault.ts';
import { formatReference, parseReference, registryUrl } from './reference.ts';

const digest = `sha256:${'a'.repeat(64)}`;

describe('a reference', () => {
  it('is normalised as docker does it', () => {
    const cases: Record<string, string> = {
      nginx: 'docker.io/library/nginx:latest',
      'nginx:1.27': 'docker.io/library/nginx:1.27',
      'bitnami/redis': 'docker.io/bitnami/redis:latest',
      'docker.io/nginx': 'docker.io/library/nginx:latest',
      'index.docker.io/library/nginx:x': 'docker.io/library/nginx:x',
      'localhost/app': 'localhost/app:latest',
      'localhost:5000/a/b/c:v1': 'localhost:5000/a/b/c:v1',
      'ghcr.io/o/r': 'ghcr.io/o/r:latest',
      '123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1': '123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1',
      '[::1]:5000/app': '[::1]:5000/app:latest',
      [`nginx@${digest}`]: `docker.io/library/nginx@${digest}`,
      [`nginx:1.27@${digest}`]: `docker.io/library/nginx@${digest}`,
      'a__b/c--d': 'docker.io/a__b/c--d:latest',
    };
    for (const [text, name] of Object.entries(cases)) assert.equal(formatReference(parseReference(text)), name, text);
  });

  it('is refused when it is none', () => {
    const bad = [
      '',
      ' ',
      'Nginx',
      'a/B',
      'nginx:',
      'nginx:-x',
      'nginx@sha256:12',
      'nginx@md5:aa',
      '/nginx',
      'a//b',
      'a/',
      'http://x/y',
      'x.com:99999999/y',
      '../x',
      'a/../b',
      `${'a'.repeat(64)}`,
      `a/${'b'.repeat(300)}`,
      'x.com/a?b',
      'x.com/a b',
      'x.com/a%2e',
    ];
    for (const text of bad)
      assert.throws(
        () => parseReference(text),
        (error) => isFault(error, 'InvalidParameter'),
        JSON.stringify(text),
      );
  });

  it('comes out of its own text unchanged, and nothing but a Fault comes of any other text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z0-9.:/@-]{1,60}$/)), (text) => {
        try {
          const name = formatReference(parseReference(text));
          assert.equal(formatReference(parseReference(name)), name);
          assert.doesNotMatch(name, /(?:^|\/)\.\.?(?:\/|$)|\s|[?#%]/);
        } catch (error) {
          assert.ok(isFault(error, 'InvalidParameter'), String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('is asked for over http only on this machine, or where that is listed', () => {
    const url = (registry: string): string => registryUrl(registry, ['10.0.0.5:5000']).href;
    assert.equal(url('docker.io'), 'https://registry-1.docker.io/');
    assert.equal(url('localhost:5000'), 'http://localhost:5000/');
    assert.equal(url('127.0.0.1:5000'), 'http://127.0.0.1:5000/');
    assert.equal(url('[::1]:5000'), 'http://[::1]:5000/');
    assert.equal(url('10.0.0.5:5000'), 'http://10.0.0.5:5000/');
    assert.equal(url('10.0.0.6:5000'), 'https://10.0.0.6:5000/');
    assert.equal(url('127.0.0.1.example.com'), 'https://127.0.0.1.example.com/');
  });
});
