'use strict';
// RAM, STS and ActionTrail through the generic Node clients: a user, a role, a session, and what the trail tells of it.

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { describe, test } = require('node:test');

const { ANY_API, credentials } = require('./clients');

const b64 = (data) => Buffer.from(data).toString('base64');
const fresh = (kind) => `${kind}-${crypto.randomBytes(6).toString('hex')}`;
const allow = (Action, Resource) =>
  JSON.stringify({ Version: '1', Statement: [{ Effect: 'Allow', Action, Resource }] });

for (const [name, make] of Object.entries(ANY_API)) {
  describe(`identity, ${name}`, () => {
    const root = make(credentials);

    /** A user with one policy, as a client of its own. */
    async function user(document) {
      const [UserName, PolicyName] = [fresh('user'), fresh('policy')];
      await root('ram', 'CreateUser', { UserName });
      await root('ram', 'CreatePolicy', { PolicyName, PolicyDocument: document });
      await root('ram', 'AttachPolicyToUser', { PolicyType: 'Custom', PolicyName, UserName });
      const { AccessKey } = await root('ram', 'CreateAccessKey', { UserName });
      return { UserName, PolicyName, call: make({ accessKeyId: AccessKey.AccessKeyId, accessKeySecret: AccessKey.AccessKeySecret }) };
    }

    test('a user may what its policy allows, until it is detached', async () => {
      const { KeyId } = (await root('kms', 'CreateKey')).KeyMetadata;
      const { UserName, PolicyName, call } = await user(allow('kms:Encrypt', '*'));
      await call('kms', 'Encrypt', { KeyId, Plaintext: b64('data') });
      await assert.rejects(call('kms', 'DescribeKey', { KeyId }), { code: 'Forbidden.NoPermission', status: 403 });
      await assert.rejects(call('ram', 'ListUsers'), { code: 'NoPermission', status: 403 });
      await root('ram', 'DetachPolicyFromUser', { PolicyType: 'Custom', PolicyName, UserName });
      const again = call('kms', 'Encrypt', { KeyId, Plaintext: b64('data') });
      await assert.rejects(again, { code: 'Forbidden.NoPermission', status: 403 });
    });

    test('a role is assumed, used, and seen in the trail', async () => {
      const { KeyId } = (await root('kms', 'CreateKey')).KeyMetadata;
      const { AccountId } = await root('sts', 'GetCallerIdentity');
      const [RoleName, PolicyName] = [fresh('role'), fresh('policy')];
      const trust = {
        Version: '1',
        Statement: [
          { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { RAM: [`acs:ram::${AccountId}:root`] } },
        ],
      };
      const { Role } = await root('ram', 'CreateRole', { RoleName, AssumeRolePolicyDocument: JSON.stringify(trust) });
      await root('ram', 'CreatePolicy', { PolicyName, PolicyDocument: allow(['kms:Encrypt', 'kms:Decrypt'], '*') });
      await root('ram', 'AttachPolicyToRole', { PolicyType: 'Custom', PolicyName, RoleName });
      const { call } = await user(allow('sts:AssumeRole', Role.Arn));
      const asked = { RoleArn: Role.Arn, RoleSessionName: 'node', DurationSeconds: 900 };
      const { Credentials } = await call('sts', 'AssumeRole', asked);
      const session = make({
        accessKeyId: Credentials.AccessKeyId,
        accessKeySecret: Credentials.AccessKeySecret,
        securityToken: Credentials.SecurityToken,
      });
      assert.equal((await session('sts', 'GetCallerIdentity')).IdentityType, 'AssumedRoleUser');
      const { CiphertextBlob } = await session('kms', 'Encrypt', { KeyId, Plaintext: b64('data') });
      assert.equal((await session('kms', 'Decrypt', { CiphertextBlob })).Plaintext, b64('data'));
      const LookupAttribute = [{ Key: 'User', Value: `${RoleName}:node` }];
      const { Events } = await root('actiontrail', 'LookupEvents', { LookupAttribute, MaxResults: '10' });
      assert.deepEqual(Events.map((event) => event.eventName), ['Decrypt', 'Encrypt', 'GetCallerIdentity']);
      await root('ram', 'DetachPolicyFromRole', { PolicyType: 'Custom', PolicyName, RoleName });
      await assert.rejects(session('kms', 'Decrypt', { CiphertextBlob }), { code: 'Forbidden.NoPermission', status: 403 });
    });
  });
}
