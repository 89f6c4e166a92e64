import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isAlias, localArn, parseKeyArn, versionOfArn } from '../../../../src/keys/aws-kms/key-arn.ts';

const single = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const multi = 'arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab';

test('an ARN of a key is taken apart, everything else is none', () => {
  assert.deepEqual(parseKeyArn(single), {
    partition: 'aws',
    region: 'eu-central-1',
    account: '111122223333',
    keyId: '1234abcd-12ab-34cd-56ef-1234567890ab',
  });
  for (const other of [
    'alias/x',
    'arn:aws:kms:eu-central-1:111122223333:alias/x',
    '1234abcd',
    `${single}\n`,
    ` ${single}`,
  ]) {
    assert.equal(parseKeyArn(other), undefined, other);
  }
});

test('the version is the ARN, without a Region where the key has replicas', () => {
  assert.equal(versionOfArn(single), single);
  assert.equal(versionOfArn(multi), 'arn:aws-us-gov:kms::111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab');
  assert.ok(versionOfArn(multi).length <= 128);
});

test('the ARN to ask for is that of the own Region, where there is one in each', () => {
  assert.equal(localArn(single, 'us-east-1'), single);
  const east = 'arn:aws-us-gov:kms:us-gov-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab';
  assert.equal(localArn(multi, 'us-gov-east-1'), east);
  assert.equal(localArn(versionOfArn(multi), 'us-gov-east-1'), east);
});

test('aliases are known by name and by ARN', () => {
  assert.ok(isAlias('alias/x'));
  assert.ok(isAlias('arn:aws:kms:eu-central-1:111122223333:alias/x'));
  assert.ok(!isAlias(single));
  assert.ok(!isAlias('1234abcd'));
});
