'use strict';
// Keeps notes, each encrypted under a key of Jomae, with the official SDK: npm install @alicloud/kms20160120
//
//   PUT /NAME     keeps the body, of up to 6144 bytes
//   GET /NAME     gives it back
//
// The files hold ciphertext alone, and one that is given another name cannot be decrypted: its name is in the encryption
// context. NODE_EXTRA_CA_CERTS names the certificate authority of Jomae.

const fs = require('node:fs/promises');
const http = require('node:http');
const path = require('node:path');
const { default: KmsClient, DecryptRequest, EncryptRequest } = require('@alicloud/kms20160120');
const { Config } = require('@alicloud/rpc-client');

const KEY = 'alias/notes';
const NOTE_BYTES_MAX = 6144;
const DIRECTORY = process.env.STATE_DIRECTORY;

const client = new KmsClient(
  new Config({
    type: 'access_key',
    endpoint: process.env.JOMAE_ENDPOINT.replace('https://', ''),
    regionId: 'cn-hangzhou',
    accessKeyId: process.env.ALIBABA_CLOUD_ACCESS_KEY_ID,
    accessKeySecret: process.env.ALIBABA_CLOUD_ACCESS_KEY_SECRET,
  }),
);

const context = (name) => ({ service: 'notes', name });

async function keep(name, note) {
  const plaintext = note.toString('base64');
  const request = new EncryptRequest({ keyId: KEY, plaintext, encryptionContext: context(name) });
  const answer = await client.encrypt(request);
  await fs.writeFile(path.join(DIRECTORY, name), answer.ciphertextBlob);
}

async function read(name) {
  const ciphertextBlob = await fs.readFile(path.join(DIRECTORY, name), 'utf8');
  const answer = await client.decrypt(new DecryptRequest({ ciphertextBlob, encryptionContext: context(name) }));
  return Buffer.from(answer.plaintext, 'base64');
}

async function body(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > NOTE_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function answer(request) {
  const name = /^\/([a-z0-9-]{1,64})$/.exec(request.url)?.[1];
  if (name && request.method === 'GET') {
    return [200, await read(name)];
  }
  if (name && request.method === 'PUT') {
    const note = await body(request);
    if (note === undefined) return [400];
    await keep(name, note);
    return [204];
  }
  return [404];
}

http
  .createServer((request, response) => {
    answer(request)
      .catch((error) => {
        if (error.code === 'ENOENT') return [404];
        console.error(error.message);
        return [500];
      })
      .then(([status, content]) => response.writeHead(status).end(content));
  })
  .listen(8002, '127.0.0.1');
