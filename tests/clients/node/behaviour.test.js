'use strict';
// The same behaviour through every official Node client.

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { describe, test } = require('node:test');

const { CLIENTS, KmsError, credentials, server } = require('./clients');

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const ABSENT_KEY = '00000000-0000-4000-8000-000000000000';
const b64 = (data) => Buffer.from(data).toString('base64');
const unb64 = (text) => Buffer.from(text, 'base64');
const newAlias = () => `alias/node/${crypto.randomUUID()}`;

for (const [name, make] of Object.entries(CLIENTS)) {
  describe(name, () => {
    const raw = make(credentials);

    const call = async (action, parameters) => {
      const answer = await raw(action, parameters);
      assert.match(answer.RequestId, UUID);
      return answer;
    };
    const refused = async (code, status, action, parameters, through = raw) => {
      let error;
      await assert.rejects(through(action, parameters), (caught) => {
        error = caught;
        return true;
      });
      assert.ok(error instanceof KmsError, error.stack);
      assert.equal(error.code, code, error.message);
      assert.equal(error.status, status, error.message);
      assert.match(error.requestId, UUID);
    };
    const createKey = async () => (await call('CreateKey', {})).KeyMetadata.KeyId;
    const describeKey = async (key) => (await call('DescribeKey', { KeyId: key })).KeyMetadata;
    const encrypt = async (key, data, more) =>
      (await call('Encrypt', { KeyId: key, Plaintext: b64(data), ...more })).CiphertextBlob;
    const decrypt = async (blob, more) => unb64((await call('Decrypt', { CiphertextBlob: blob, ...more })).Plaintext);

    test('create, describe, update', async () => {
      const text = "für 'a' (b) * + !";
      const created = (await call('CreateKey', { Description: text })).KeyMetadata;
      assert.equal(created.KeyState, 'Enabled');
      assert.equal(created.KeySpec ?? 'Aliyun_AES_256', 'Aliyun_AES_256');
      assert.equal(created.Description, text);
      assert.equal(created.Arn, `acs:kms:${server.region}:${created.Creator}:key/${created.KeyId}`);
      await call('UpdateKeyDescription', { KeyId: created.KeyId, Description: '錠 前~' });
      assert.equal((await describeKey(created.KeyId)).Description, '錠 前~');
    });

    test('list', async () => {
      const key = await createKey();
      const listed = [];
      for (let page = 1; ; page += 1) {
        const answer = await call('ListKeys', { PageNumber: page, PageSize: 100 });
        assert.equal(answer.PageNumber, page);
        listed.push(...answer.Keys.Key.map((row) => row.KeyId));
        if (listed.length >= answer.TotalCount) break;
        assert.ok(answer.Keys.Key.length > 0);
      }
      assert.ok(listed.includes(key));
      await refused('InvalidParameter', 400, 'ListKeys', { PageSize: 101 });
    });

    test('encrypt and decrypt', async () => {
      const key = await createKey();
      for (const data of [Buffer.from('x'), Buffer.from([...Array(256).keys()]), Buffer.alloc(6144, 0xfb)]) {
        const blob = await encrypt(key, data);
        assert.deepEqual(await decrypt(blob), data);
      }
      await refused('InvalidParameter', 400, 'Encrypt', { KeyId: key, Plaintext: b64(Buffer.alloc(6145)) });
    });

    test('text that is no Base64', async () => {
      const key = await createKey();
      for (const text of ['example', 'hello, world', '錠前\n', 'AA==A']) {
        const blob = (await call('Encrypt', { KeyId: key, Plaintext: text })).CiphertextBlob;
        assert.equal((await call('Decrypt', { CiphertextBlob: blob })).Plaintext, text);
      }
      await refused('InvalidParameter', 400, 'Encrypt', { KeyId: key, Plaintext: 'aGVs bG8=' });
    });

    test('encryption context', async () => {
      const key = await createKey();
      const blob = await encrypt(key, 'data', { EncryptionContext: { b: "ü '(1)*!", a: '2' } });
      assert.equal(String(await decrypt(blob, { EncryptionContext: { a: '2', b: "ü '(1)*!" } })), 'data');
      await refused('InvalidParameter', 400, 'Decrypt', { CiphertextBlob: blob, EncryptionContext: { a: '2' } });
      await refused('InvalidParameter', 400, 'Decrypt', { CiphertextBlob: blob });
    });

    test('data keys', async () => {
      const key = await createKey();
      for (const [length, bytes] of [
        [{}, 32],
        [{ KeySpec: 'AES_128' }, 16],
        [{ NumberOfBytes: 1024 }, 1024],
      ]) {
        const answer = await call('GenerateDataKey', { KeyId: key, ...length });
        assert.equal(unb64(answer.Plaintext).length, bytes);
        assert.deepEqual(await decrypt(answer.CiphertextBlob), unb64(answer.Plaintext));
        const sealed = await call('GenerateDataKeyWithoutPlaintext', { KeyId: key, ...length });
        assert.equal('Plaintext' in sealed, false);
        assert.equal((await decrypt(sealed.CiphertextBlob)).length, bytes);
      }
    });

    test('states', async () => {
      const key = await createKey();
      const blob = await encrypt(key, 'data');
      await call('DisableKey', { KeyId: key });
      await refused('Rejected.Disabled', 409, 'Decrypt', { CiphertextBlob: blob });
      await call('EnableKey', { KeyId: key });
      assert.equal(String(await decrypt(blob)), 'data');
      await call('ScheduleKeyDeletion', { KeyId: key, PendingWindowInDays: 7 });
      const metadata = await describeKey(key);
      assert.equal(metadata.KeyState, 'PendingDeletion');
      assert.match(metadata.DeleteDate, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      await refused('Rejected.StateModifiedFailed', 409, 'ScheduleKeyDeletion', { KeyId: key, PendingWindowInDays: 7 });
      await call('CancelKeyDeletion', { KeyId: key });
      assert.equal((await describeKey(key)).KeyState, 'Enabled');
    });

    test('aliases', async () => {
      const [key, other, alias] = [await createKey(), await createKey(), newAlias()];
      await call('CreateAlias', { AliasName: alias, KeyId: key });
      await refused('AliasAlreadyExists', 400, 'CreateAlias', { AliasName: alias, KeyId: other });
      assert.equal((await describeKey(alias)).KeyId, key);
      const blob = await encrypt(alias, 'data');
      await call('UpdateAlias', { AliasName: alias, KeyId: other });
      assert.equal((await describeKey(alias)).KeyId, other);
      assert.equal(String(await decrypt(blob)), 'data');
      const rows = (await call('ListAliasesByKeyId', { KeyId: other })).Aliases.Alias;
      assert.deepEqual(rows.map((row) => row.AliasName), [alias]);
      await refused('Unsupported.Alias', 400, 'DisableKey', { KeyId: alias });
      await call('DeleteAlias', { AliasName: alias });
      await refused('Forbidden.AliasNotFound', 404, 'DescribeKey', { KeyId: alias });
    });

    test('regions', async () => {
      const regions = (await call('DescribeRegions', {})).Regions.Region;
      assert.ok(regions.some((region) => region.RegionId === server.region));
    });

    test('errors', async () => {
      await refused('Forbidden.KeyNotFound', 404, 'DescribeKey', { KeyId: ABSENT_KEY });
      await refused('MissingParameter', 400, 'DescribeKey', {});
      await refused('InvalidParameter', 400, 'CreateKey', { Origin: 'nowhere' });
      const wrongSecret = make({ ...credentials, accessKeySecret: 'not-the-secret' });
      await refused('SignatureDoesNotMatch', 400, 'DescribeRegions', {}, wrongSecret);
      const unknownKey = make({ ...credentials, accessKeyId: 'LTAI0000000000000000' });
      await refused('InvalidAccessKeyId.NotFound', 404, 'DescribeRegions', {}, unknownKey);
    });
  });
}

describe('clients that take any action', () => {
  for (const name of Object.keys(CLIENTS).filter((name) => name !== 'kms20160120')) {
    test(`unknown action, dry run: ${name}`, async () => {
      const call = CLIENTS[name](credentials);
      await assert.rejects(call('MakeCoffee', {}), { code: 'InvalidAction.NotFound', status: 404 });
      const key = (await call('CreateKey', {})).KeyMetadata.KeyId;
      const parameters = { KeyId: key, Plaintext: 'AAAA', DryRun: true };
      await assert.rejects(call('Encrypt', parameters), { code: 'DryRunOperationError' });
      assert.equal((await call('DescribeAccountKmsStatus', {})).AccountStatus, 'Enabled');
    });
  }
});

describe('one context, however a client sends it', () => {
  // As parameters of their own, as JSON text in the query, as JSON text in a form.
  const names = ['kms20160120', 'pop-core by GET', 'openapi-client, form'];
  const EncryptionContext = { 'b.c': "ü '1'", a: '' };
  for (const [writer, reader] of names.flatMap((w) => names.filter((r) => r !== w).map((r) => [w, r]))) {
    test(`${writer} encrypts, ${reader} decrypts`, async () => {
      const [write, read] = [CLIENTS[writer](credentials), CLIENTS[reader](credentials)];
      const key = (await write('CreateKey', {})).KeyMetadata.KeyId;
      const sealed = await write('Encrypt', { KeyId: key, Plaintext: 'AAAA', EncryptionContext });
      const opened = await read('Decrypt', { CiphertextBlob: sealed.CiphertextBlob, EncryptionContext });
      assert.equal(opened.Plaintext, 'AAAA');
      const other = { ...EncryptionContext, 'b.c': '2' };
      for (const wrong of [{}, { EncryptionContext: other }]) {
        await assert.rejects(read('Decrypt', { CiphertextBlob: sealed.CiphertextBlob, ...wrong }), {
          code: 'InvalidParameter',
          status: 400,
        });
      }
    });
  }
});
