'use strict';
// Versions, rotation, tags, asymmetric keys and imported keys through every official Node client; what has a standard
// form is checked with the cryptography of Node.

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { describe, test } = require('node:test');

const { CLIENTS, credentials, server } = require('./clients');

const ABSENT_KEY = '00000000-0000-4000-8000-000000000000';
const b64 = (data) => Buffer.from(data).toString('base64');
const unb64 = (text) => Buffer.from(text, 'base64');
const sha256 = (data) => crypto.createHash('sha256').update(data).digest();

for (const [name, make] of Object.entries(CLIENTS)) {
  describe(name, () => {
    const call = make(credentials);
    const refused = (code, status, action, parameters) => assert.rejects(call(action, parameters), { code, status });
    const create = async (parameters = {}) => (await call('CreateKey', parameters)).KeyMetadata.KeyId;
    const describeKey = async (KeyId) => (await call('DescribeKey', { KeyId })).KeyMetadata;
    const encrypt = async (KeyId, data) => (await call('Encrypt', { KeyId, Plaintext: b64(data) })).CiphertextBlob;
    const decrypt = async (CiphertextBlob) => String(unb64((await call('Decrypt', { CiphertextBlob })).Plaintext));

    /** Names of the only version of a new key pair, and its public key. */
    async function newPair(KeySpec, KeyUsage) {
      const KeyId = await create({ KeySpec, KeyUsage });
      const { KeyVersionId } = (await call('ListKeyVersions', { KeyId })).KeyVersions.KeyVersion[0];
      const target = { KeyId, KeyVersionId };
      return { target, publicKey: crypto.createPublicKey((await call('GetPublicKey', target)).PublicKey) };
    }

    test('versions', async () => {
      const KeyId = await create();
      const old = await encrypt(KeyId, 'old');
      const made = (await call('CreateKeyVersion', { KeyId })).KeyVersion;
      assert.equal((await describeKey(KeyId)).PrimaryKeyVersion, made.KeyVersionId);
      assert.equal(await decrypt(old), 'old');
      assert.ok(unb64(await encrypt(KeyId, 'new')).toString('latin1').startsWith(made.KeyVersionId));
      const listed = await call('ListKeyVersions', { KeyId, PageNumber: 1, PageSize: 1 });
      assert.equal(listed.TotalCount, 2);
      assert.deepEqual(listed.KeyVersions.KeyVersion.map((row) => row.KeyVersionId), [made.KeyVersionId]);
      const described = await call('DescribeKeyVersion', { KeyId, KeyVersionId: made.KeyVersionId });
      assert.equal(described.KeyVersion.CreationDate, made.CreationDate);
      const absent = { KeyId, KeyVersionId: ABSENT_KEY };
      await refused('Forbidden.KeyVersionNotFound', 404, 'DescribeKeyVersion', absent);
    });

    test('rotation', async () => {
      const KeyId = await create();
      const on = { KeyId, EnableAutomaticRotation: true };
      await call('UpdateRotationPolicy', { ...on, RotationInterval: '30d' });
      const metadata = await describeKey(KeyId);
      assert.equal(metadata.AutomaticRotation, 'Enabled');
      assert.equal(metadata.RotationInterval, '2592000s');
      const days = (new Date(metadata.NextRotationDate) - new Date(metadata.LastRotationDate)) / 86_400_000;
      assert.equal(days, 30);
      await refused('InvalidParameter', 400, 'UpdateRotationPolicy', { ...on, RotationInterval: '6d' });
      await refused('MissingParameter', 400, 'UpdateRotationPolicy', on);
      await call('UpdateRotationPolicy', { KeyId, EnableAutomaticRotation: false });
      assert.equal((await describeKey(KeyId)).AutomaticRotation, 'Disabled');
    });

    test('tags', async () => {
      const KeyId = await create();
      const Tags = JSON.stringify([
        { TagKey: 'a + b', TagValue: '/:@=' },
        { TagKey: 'team', TagValue: 'orders' },
      ]);
      const tags = async () =>
        Object.fromEntries(
          (await call('ListResourceTags', { KeyId })).Tags.Tag.map((tag) => [tag.TagKey, tag.TagValue]),
        );
      await call('TagResource', { KeyId, Tags });
      assert.deepEqual(await tags(), { 'a + b': '/:@=', team: 'orders' });
      await call('UntagResource', { KeyId, TagKeys: JSON.stringify(['team', 'never there']) });
      assert.deepEqual(await tags(), { 'a + b': '/:@=' });
      await refused('InvalidParameter', 400, 'TagResource', { KeyId, Tags: '[{"TagKey":"acs:x","TagValue":""}]' });
      await refused('Forbidden.KeyNotFound', 404, 'ListResourceTags', { KeyId: ABSENT_KEY });
    });

    for (const [KeySpec, Algorithm, options] of [
      ['EC_P256', 'ECDSA_SHA_256', {}],
      ['RSA_2048', 'RSA_PKCS1_SHA_256', {}],
      ['RSA_2048', 'RSA_PSS_SHA_256', { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }],
    ]) {
      test(`sign and verify, ${KeySpec} ${Algorithm}`, async () => {
        const { target, publicKey } = await newPair(KeySpec, 'SIGN/VERIFY');
        const message = crypto.randomBytes(100);
        const parameters = { ...target, Algorithm, Digest: b64(sha256(message)) };
        const { Value } = await call('AsymmetricSign', parameters);
        assert.ok(crypto.verify('sha256', message, { key: publicKey, ...options }, unb64(Value)));
        assert.equal((await call('AsymmetricVerify', { ...parameters, Value })).Value, true);
        const other = { ...parameters, Digest: b64(sha256('other')), Value };
        assert.equal((await call('AsymmetricVerify', other)).Value, false);
        await refused('InvalidParameter', 400, 'AsymmetricSign', { ...parameters, Digest: 'AAAA' });
        const absent = { ...parameters, KeyVersionId: ABSENT_KEY };
        await refused('Forbidden.KeyVersionNotFound', 404, 'AsymmetricSign', absent);
      });
    }

    test('encrypt with a public key', async () => {
      const { target, publicKey } = await newPair('RSA_2048', 'ENCRYPT/DECRYPT');
      target.Algorithm = 'RSAES_OAEP_SHA_256';
      const theirs = crypto.publicEncrypt({ key: publicKey, oaepHash: 'sha256' }, Buffer.from('data'));
      const opened = await call('AsymmetricDecrypt', { ...target, CiphertextBlob: b64(theirs) });
      assert.equal(String(unb64(opened.Plaintext)), 'data');
      const sealed = await call('AsymmetricEncrypt', { ...target, Plaintext: b64('data') });
      const again = await call('AsymmetricDecrypt', { ...target, CiphertextBlob: sealed.CiphertextBlob });
      assert.equal(String(unb64(again.Plaintext)), 'data');
      await refused('InvalidParameter', 400, 'AsymmetricEncrypt', { ...target, Plaintext: b64(Buffer.alloc(191)) });
    });

    test('bring your own key', async () => {
      const KeyId = await create({ Origin: 'EXTERNAL' });
      assert.equal((await describeKey(KeyId)).KeyState, 'PendingImport');
      const given = await call('GetParametersForImport', {
        KeyId,
        WrappingKeySpec: 'RSA_2048',
        WrappingAlgorithm: 'RSAES_OAEP_SHA_256',
      });
      const key = crypto.createPublicKey({ key: unb64(given.PublicKey), format: 'der', type: 'spki' });
      const wrapped = (material) => ({
        KeyId,
        ImportToken: given.ImportToken,
        EncryptedKeyMaterial: b64(crypto.publicEncrypt({ key, oaepHash: 'sha256' }, material)),
        KeyMaterialExpireUnix: 0,
      });
      const material = crypto.randomBytes(32);
      await refused('InvalidKeyMaterial', 400, 'ImportKeyMaterial', wrapped(crypto.randomBytes(16)));
      await call('ImportKeyMaterial', wrapped(material));
      const blob = await encrypt(KeyId, 'data');
      await refused('InvalidKeyMaterial', 400, 'ImportKeyMaterial', wrapped(crypto.randomBytes(32)));
      await call('DeleteKeyMaterial', { KeyId });
      await refused('Rejected.PendingImport', 409, 'Decrypt', { CiphertextBlob: blob });
      await call('ImportKeyMaterial', wrapped(material));
      assert.equal(await decrypt(blob), 'data');
      const wanted = { WrappingKeySpec: 'RSA_2048', WrappingAlgorithm: 'RSAES_OAEP_SHA_256' };
      await refused('Unsupported.Origin', 400, 'GetParametersForImport', { ...wanted, KeyId: await create() });
    });
  });
}

describe('tags of several keys', () => {
  // The typed client is older than these actions.
  for (const name of Object.keys(CLIENTS).filter((name) => name !== 'kms20160120')) {
    test(name, async () => {
      const call = CLIENTS[name](credentials);
      const keys = [await call('CreateKey', {}), await call('CreateKey', {})].map((made) => made.KeyMetadata.KeyId);
      const target = { RegionId: server.region, ResourceType: 'key', ResourceId: keys };
      await call('TagResources', { ...target, Tag: [{ Key: 'team', Value: 'a + b' }] });
      const listed = await call('ListTagResources', target);
      const rows = listed.TagResources.TagResource.map((row) => `${row.ResourceId} ${row.TagKey}=${row.TagValue}`);
      assert.deepEqual(rows.sort(), keys.map((key) => `${key} team=a + b`).sort());
      await call('UntagResources', { ...target, All: true });
      assert.deepEqual((await call('ListTagResources', target)).TagResources.TagResource, []);
      await assert.rejects(call('TagResources', target), { code: 'MissingParameter', status: 400 });
    });
  }
});
