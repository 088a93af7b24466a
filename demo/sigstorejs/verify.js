// Verifies a sigstore bundle with @sigstore/verify, which shares no code with what is tested.
// Usage: node verify.js MODULES BUNDLE key PUBLIC.pem | identity TRUSTED_ROOT.json SUBJECT ISSUER
// Prints a JSON object: {"ok": true, "payload": base64, "identity": …} or {"ok": false, "error": …}.
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

const [modules, file, kind, trust, subject, issuer] = process.argv.slice(2);
const load = (name) => require(path.join(modules, '@sigstore', name));
const { bundleFromJSON } = load('bundle');
const { Verifier, toSignedEntity, toTrustMaterial } = load('verify');
const { TrustedRoot } = load('protobuf-specs');

function byKey() {
  const publicKey = crypto.createPublicKey(fs.readFileSync(trust));
  const empty = { tlogs: [], ctlogs: [], certificateAuthorities: [], timestampAuthorities: [] };
  const material = toTrustMaterial(TrustedRoot.fromJSON(empty), () => ({ publicKey, validFor: () => true }));
  return [new Verifier(material, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0, tsaThreshold: 0 })];
}

function byIdentity() {
  const root = TrustedRoot.fromJSON(JSON.parse(fs.readFileSync(trust)));
  return [new Verifier(toTrustMaterial(root)), { subjectAlternativeName: subject, extensions: { issuer } }];
}

try {
  const bundle = bundleFromJSON(JSON.parse(fs.readFileSync(file)));
  const [verifier, policy] = kind === 'key' ? byKey() : byIdentity();
  const signer = verifier.verify(toSignedEntity(bundle), policy);
  const payload = bundle.content.dsseEnvelope.payload.toString('base64');
  console.log(JSON.stringify({ ok: true, payload, identity: signer.identity?.subjectAlternativeName ?? '' }));
} catch (error) {
  console.log(JSON.stringify({ ok: false, error: `${error.code ?? error.name}: ${error.message}` }));
}
