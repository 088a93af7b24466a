// A sigstore on loopback for tests: the certificate authority, certificate log and transparency log of @sigstore/mock.
// Usage: node server.js MODULES FOLDER. Writes FOLDER/trust_config.json and FOLDER/trusted_root.json, then prints its address.
// It does not check identity tokens: that is what a real certificate authority would do.
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const path = require('path');

const [modules, folder] = process.argv.slice(2);
const mock = require(path.join(modules, '@sigstore', 'mock'));

const pair = (namedCurve) => crypto.generateKeyPairSync('ec', { namedCurve });
const base64 = (bytes) => Buffer.from(bytes).toString('base64');
const sha256 = (bytes) => crypto.createHash('sha256').update(bytes).digest();

// Clients propose whole envelopes; a real log stores their hashes.
function stored(entry) {
  if (entry.kind !== 'dsse') return entry;
  const { envelope, verifiers } = entry.spec.proposedContent;
  const { payload, signatures } = JSON.parse(envelope);
  const hash = (bytes) => ({ algorithm: 'sha256', value: sha256(bytes).toString('hex') });
  return {
    apiVersion: '0.0.1',
    kind: 'dsse',
    spec: {
      envelopeHash: hash(envelope),
      payloadHash: hash(Buffer.from(payload, 'base64')),
      signatures: signatures.map(({ sig }, index) => ({ signature: sig, verifier: verifiers[index] })),
    },
  };
}

// Clients send the token in a header and the request in base64; the mock wants both in the body, the request as PEM.
function certificateRequest(body, headers) {
  const request = JSON.parse(body);
  request.credentials ??= { oidcIdentityToken: (headers.authorization || '').replace(/^Bearer /, '') };
  if (request.certificateSigningRequest && !request.certificateSigningRequest.includes('BEGIN')) {
    request.certificateSigningRequest = Buffer.from(request.certificateSigningRequest, 'base64').toString();
  }
  return JSON.stringify(request);
}

function trustMaterial(address, { ca, ctlog, tlog }) {
  const validFor = { start: new Date(Date.now() - 3600e3).toISOString() };
  const log = (key, keyId) => ({
    baseUrl: address,
    hashAlgorithm: 'SHA2_256',
    publicKey: { rawBytes: base64(key), keyDetails: 'PKIX_ECDSA_P256_SHA_256', validFor },
    logId: { keyId: base64(keyId) },
  });
  const service = [{ url: address, majorApiVersion: 1, validFor, operator: 'test' }];
  const trustedRoot = {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: [log(tlog.publicKey, sha256(tlog.publicKey))],
    certificateAuthorities: [
      {
        subject: { organization: 'sigstore.mock', commonName: 'sigstore' },
        uri: address,
        certChain: { certificates: [{ rawBytes: base64(ca.rootCertificate) }] },
        validFor,
      },
    ],
    ctlogs: [log(ctlog.publicKey, ctlog.logID)],
    timestampAuthorities: [],
  };
  const signingConfig = {
    mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.2+json',
    caUrls: service,
    oidcUrls: service,
    rekorTlogUrls: service,
    rekorTlogConfig: { selector: 'ANY' },
    tsaUrls: [],
    tsaConfig: { selector: 'ANY' },
  };
  const mediaType = 'application/vnd.dev.sigstore.clienttrustconfig.v0.1+json';
  return { trustedRoot, trustConfig: { mediaType, trustedRoot, signingConfig } };
}

async function services(address) {
  const ctlog = await mock.initializeCTLog(pair('P-256'));
  const ca = await mock.initializeCA(pair('P-384'), ctlog);
  const tlog = await mock.initializeTLog(address, pair('P-256'));
  return { ctlog, ca, tlog };
}

const server = http.createServer();
server.listen(0, '127.0.0.1', async () => {
  const address = `http://127.0.0.1:${server.address().port}`;
  const { ctlog, ca, tlog } = await services(address);
  const fulcio = mock.fulcioHandler(ca);
  const rekor = mock.rekorHandler({ log: async (entry) => tlog.log(stored(entry)), publicKey: tlog.publicKey });
  const { trustedRoot, trustConfig } = trustMaterial(address, { ca, ctlog, tlog });
  fs.writeFileSync(path.join(folder, 'trusted_root.json'), JSON.stringify(trustedRoot));
  fs.writeFileSync(path.join(folder, 'trust_config.json'), JSON.stringify(trustConfig));

  server.on('request', (request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', async () => {
      let body = Buffer.concat(parts).toString();
      const asked = request.url.replace(/\/+/g, '/').replace(/\/$/, '');
      if (asked === '/.well-known/openid-configuration') {
        const endpoints = { authorization_endpoint: `${address}/auth`, token_endpoint: `${address}/token` };
        response.writeHead(200, { 'content-type': 'application/json' });
        return response.end(JSON.stringify({ issuer: address, ...endpoints }));
      }
      const handler = [fulcio, rekor].find((candidate) => candidate.path === asked);
      if (!handler) return response.writeHead(404).end();
      if (handler === fulcio) body = certificateRequest(body, request.headers);
      const answer = await handler.fn(body);
      response.writeHead(answer.statusCode, { 'content-type': answer.contentType || 'text/plain' });
      response.end(answer.response);
    });
  });
  console.log(address);
});
