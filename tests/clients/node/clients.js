'use strict';
// One thin adapter for each official client: (action, parameters) => answer, both with wire names, or a KmsError.

const { default: KmsClient, ...kms } = require('@alicloud/kms20160120');
const { Config: RpcConfig } = require('@alicloud/rpc-client');
const { default: OpenApiClient, Config, OpenApiRequest, Params } = require('@alicloud/openapi-client');
const { default: OpenApiUtil } = require('@alicloud/openapi-util');
const { RPCClient } = require('@alicloud/pop-core');
const { RuntimeOptions } = require('@alicloud/tea-util');
const { toMap } = require('@alicloud/tea-typescript');

class KmsError extends Error {
  constructor(cause, code, body) {
    super(`${code}: ${cause.message}`, { cause });
    this.code = code;
    this.status = body.statusCode;
    this.requestId = body.RequestId;
  }
}

const server = {
  url: process.env.JOMAE_ENDPOINT,
  host: process.env.JOMAE_ENDPOINT.replace('https://', ''),
  region: process.env.JOMAE_REGION,
};

const credentials = {
  accessKeyId: process.env.ALIBABA_CLOUD_ACCESS_KEY_ID,
  accessKeySecret: process.env.ALIBABA_CLOUD_ACCESS_KEY_SECRET,
};

/** Lists that the clients flatten to ResourceId.1, Tag.1.Key, … */
const FLATTENED = ['ResourceId', 'Tag', 'TagKey', 'LookupAttribute'];

/** Maps and other lists as the JSON text that the wire wants. */
function asText(parameters) {
  const isJson = (name, value) => typeof value === 'object' && !FLATTENED.includes(name);
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [name, isJson(name, value) ? JSON.stringify(value) : value]),
  );
}

const lowerFirst = (name) => name[0].toLowerCase() + name.slice(1);

/** @alicloud/pop-core: RPC signature v1, by GET in the query or by POST in the form body. */
function popCore(method, keys = credentials) {
  const client = new RPCClient({ ...keys, endpoint: server.url, apiVersion: '2016-01-20' });
  return async (action, parameters = {}) => {
    try {
      return await client.request(action, asText(parameters), { method });
    } catch (error) {
      if (!error.data) throw error;
      throw new KmsError(error, error.code, { ...error.data, statusCode: error.entry.response.statusCode });
    }
  };
}

/** @alicloud/kms20160120: the typed client, RPC signature v1. */
function typed(keys = credentials) {
  const config = new RpcConfig({ ...keys, type: 'access_key', endpoint: server.host, regionId: server.region });
  const client = new KmsClient(config);
  return async (action, parameters = {}) => {
    const Request = kms[`${action}Request`];
    // A context stays a map, as the SDK types it; it then sends one parameter for each pair, `EncryptionContext.name`.
    const named = Object.fromEntries(Object.entries(parameters).map(([name, value]) => [lowerFirst(name), value]));
    const unknown = Object.keys(named).filter((name) => !(name in Request.names()));
    if (unknown.length) throw new Error(`${action} of this SDK does not take ${unknown}`);
    try {
      const response = Request ? await client[lowerFirst(action)](new Request(named)) : await client[lowerFirst(action)]();
      return toMap(response);
    } catch (error) {
      if (!error.data) throw error;
      // This client appends a word to the code and gives the status only inside the message.
      const statusCode = Number(/^[^:]+: code: (\d{3}),/.exec(error.message)?.[1]);
      throw new KmsError(error, error.code.replace(/Error$/, ''), { ...error.data, statusCode });
    }
  };
}

/** @alicloud/openapi-client: any action, signature ACS3; parameters in the query or in the form body. */
function generic(place, keys = credentials, more = {}, version = '2016-01-20') {
  const client = new OpenApiClient(new Config({ ...keys, endpoint: server.host, regionId: server.region, ...more }));
  return async (action, parameters = {}) => {
    const params = new Params({
      action,
      version,
      protocol: 'HTTPS',
      pathname: '/',
      method: 'POST',
      authType: 'AK',
      style: 'RPC',
      reqBodyType: 'formData',
      bodyType: 'json',
    });
    // As the clients do that are generated on top of this one.
    const request = new OpenApiRequest({ [place]: OpenApiUtil.query(asText(parameters)) });
    try {
      const response = await client.callApi(params, request, new RuntimeOptions({}));
      if (response.headers['x-acs-request-id'] !== response.body.RequestId) {
        throw new Error('the request id differs between header and body');
      }
      return response.body;
    } catch (error) {
      if (!error.data) throw error;
      throw new KmsError(error, error.code, error.data);
    }
  };
}

/** Name => function of credentials that makes the adapter. */
const CLIENTS = {
  'pop-core by GET': (keys) => popCore('GET', keys),
  'pop-core by POST': (keys) => popCore('POST', keys),
  kms20160120: (keys) => typed(keys),
  'openapi-client, query': (keys) => generic('query', keys),
  'openapi-client, form': (keys) => generic('body', keys),
  'openapi-client, SM3': (keys) => generic('query', keys, { signatureAlgorithm: 'ACS3-HMAC-SM3' }),
  'openapi-client, v1': (keys) => generic('query', keys, { signatureAlgorithm: 'v2' }),
};

const VERSIONS = { kms: '2016-01-20', ram: '2015-05-01', sts: '2015-04-01', actiontrail: '2020-07-06' };

/** The generic clients for any of the four APIs: (api, action, parameters) => answer. Keys may hold a securityToken. */
const ANY_API = {
  'pop-core': (keys) => async (api, action, parameters = {}) => {
    const client = new RPCClient({ ...keys, endpoint: server.url, apiVersion: VERSIONS[api] });
    try {
      return await client.request(action, asText(parameters), { method: 'POST' });
    } catch (error) {
      if (!error.data) throw error;
      throw new KmsError(error, error.code, { ...error.data, statusCode: error.entry.response.statusCode });
    }
  },
  'openapi-client': (keys) => (api, action, parameters) =>
    generic('query', keys, {}, VERSIONS[api])(action, parameters),
};

module.exports = { ANY_API, CLIENTS, KmsError, credentials, server };
