'use strict';
// The same calls over HTTP/2, as a proxy or a modern HTTP library makes them.

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const http2 = require('node:http2');
const { after, before, describe, test } = require('node:test');

const { credentials, server } = require('./clients');

const escape = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** The signed query of a call, RPC signature v1. */
function signedQuery(method, action, parameters) {
  const all = {
    ...parameters,
    Action: action,
    Format: 'JSON',
    Version: '2016-01-20',
    AccessKeyId: credentials.accessKeyId,
    SignatureMethod: 'HMAC-SHA1',
    SignatureVersion: '1.0',
    SignatureNonce: crypto.randomUUID(),
    Timestamp: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
  };
  const canonical = Object.keys(all)
    .sort()
    .map((name) => `${escape(name)}=${escape(all[name])}`)
    .join('&');
  const signature = crypto
    .createHmac('sha1', `${credentials.accessKeySecret}&`)
    .update(`${method}&%2F&${escape(canonical)}`)
    .digest('base64');
  return `${canonical}&Signature=${escape(signature)}`;
}

describe('HTTP/2', () => {
  let session;
  before(() => {
    session = http2.connect(server.url);
  });
  after(() => {
    session.close();
  });

  async function send(method, action, parameters, place) {
    const query = signedQuery(method, action, parameters);
    const headers = { ':method': method, ':path': place === 'query' ? `/?${query}` : '/' };
    if (place === 'form') headers['content-type'] = 'application/x-www-form-urlencoded';
    const stream = session.request(headers);
    const status = new Promise((resolve, reject) => {
      stream.on('response', (answer) => resolve([answer[':status'], answer['x-acs-request-id']]));
      stream.on('error', reject);
    });
    stream.end(place === 'form' ? query : undefined);
    let text = '';
    for await (const piece of stream.setEncoding('utf8')) text += piece;
    const [code, requestId] = await status;
    const body = JSON.parse(text);
    assert.equal(body.RequestId, requestId);
    return { status: code, body };
  }

  for (const [method, place] of [['GET', 'query'], ['POST', 'query'], ['POST', 'form']]) {
    test(`${method} with everything in the ${place}`, async () => {
      const created = await send(method, 'CreateKey', { Description: 'a b + ü' }, place);
      assert.equal(created.status, 200);
      const KeyId = created.body.KeyMetadata.KeyId;
      const sealed = await send(method, 'Encrypt', { KeyId, Plaintext: 'AAAA' }, place);
      const opened = await send(method, 'Decrypt', { CiphertextBlob: sealed.body.CiphertextBlob }, place);
      assert.equal(opened.body.Plaintext, 'AAAA');
    });
  }

  test('many calls at once on one connection', async () => {
    const { KeyId } = (await send('POST', 'CreateKey', {}, 'query')).body.KeyMetadata;
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => send('POST', 'GenerateDataKey', { KeyId }, 'query')),
    );
    assert.ok(replies.every((reply) => reply.status === 200));
    assert.equal(new Set(replies.map((reply) => reply.body.Plaintext)).size, 50);
  });

  test('a large plaintext in the query', async () => {
    const { KeyId } = (await send('GET', 'CreateKey', {}, 'query')).body.KeyMetadata;
    const Plaintext = Buffer.alloc(6144, 0xfb).toString('base64');
    const sealed = await send('GET', 'Encrypt', { KeyId, Plaintext }, 'query');
    assert.equal(sealed.status, 200, JSON.stringify(sealed.body));
    const opened = await send('POST', 'Decrypt', { CiphertextBlob: sealed.body.CiphertextBlob }, 'form');
    assert.equal(opened.body.Plaintext, Plaintext);
  });

  test('refusals', async () => {
    const wrong = await send('PUT', 'DescribeRegions', {}, 'query');
    assert.deepEqual([wrong.status, wrong.body.Code], [403, 'UnsupportedHTTPMethod']);
    const absent = await send('GET', 'MakeCoffee', {}, 'query');
    assert.deepEqual([absent.status, absent.body.Code], [404, 'InvalidAction.NotFound']);
  });
});
