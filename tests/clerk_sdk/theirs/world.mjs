// What all categories are made of: random choices from a seed, a clock that stands still, keys, signed
// tokens, and Clerk's SDK with a Backend API of its own.
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';

export const HOST = 'clerk.example.com';
export const ISS = `https://${HOST}`;
/** The second at which all inputs are judged; some add milliseconds. */
export const NOW = 1_790_000_000;

/** Choices that the seed decides (mulberry32). */
class Random {
  #state;
  constructor(seed) {
    this.#state = seed >>> 0;
  }
  below(end) {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % end;
  }
  chance(percent) {
    return this.below(100) < percent;
  }
  pick(list) {
    return list[this.below(list.length)];
  }
  several(list, most) {
    return Array.from({ length: this.below(most + 1) }, () => this.pick(list));
  }
}

const RealDate = Date;
let now = NOW * 1000;

/** A `Date` whose present is set here, for the SDK and all that it calls. */
globalThis.Date = class extends RealDate {
  constructor(...parts) {
    super(...(parts.length > 0 ? parts : [now]));
  }
  static now() {
    return now;
  }
};

const newKey = () => generateKeyPairSync('rsa', { modulusLength: 2048 });
export const base64url = (bytes) => Buffer.from(bytes).toString('base64url');

export class World {
  /** Where the SDK is, and the choices. */
  static async create(folder, seed) {
    const world = new World();
    world.require = createRequire(join(folder, 'package.json'));
    world.backend = world.require('@clerk/backend');
    world.internal = world.require('@clerk/backend/internal');
    world.random = new Random(seed);
    world.own = newKey();
    world.second = newKey();
    world.foreign = newKey();
    /** What every question about a machine's token is answered: `{ status, body }`. */
    world.answer = null;
    world.jwks = { keys: [world.#jwk(world.own, 'ins_1'), world.#jwk(world.second, 'ins_2')] };
    world.server = createServer((request, response) => {
      const answer = world.answer;
      if (answer && request.method === 'POST') {
        response.writeHead(answer.status, { 'content-type': 'application/json' });
        response.end(answer.body);
        return;
      }
      const found = request.url === '/v1/jwks';
      response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' });
      response.end(found ? JSON.stringify(world.jwks) : '{}');
    });
    await once(world.server.listen(0, '127.0.0.1'), 'listening');
    world.apiUrl = `http://127.0.0.1:${world.server.address().port}`;
    return world;
  }

  #jwk(key, kid) {
    return { use: 'sig', kid, alg: 'RS256', ...key.publicKey.export({ format: 'jwk' }) };
  }

  /** The first line: the keys by which the other side judges. */
  keys() {
    const pem = this.own.publicKey.export({ format: 'pem', type: 'spki' });
    const { version } = this.require('@clerk/backend/package.json');
    return { version, jwks: JSON.stringify(this.jwks), pem };
  }

  /** Sets the present, in milliseconds since 1970. */
  setNow(milliseconds) {
    now = milliseconds;
  }

  /** What a genuine session token says. */
  header() {
    return { alg: 'RS256', cat: 'cl_B7d4PD111AAA', kid: 'ins_1', typ: 'JWT' };
  }
  claims() {
    return {
      iss: ISS, sub: 'user_1', sid: 'sess_1', azp: 'https://app.example.com',
      iat: NOW - 10, nbf: NOW - 20, exp: NOW + 50, v: 2, sts: 'active',
    };
  }

  /** Signs two texts, mostly of JSON, with a key and an algorithm. */
  sign(header, payload, key = this.own, algorithm = 'RS256') {
    const signed = `${base64url(header)}.${base64url(payload)}`;
    return `${signed}.${base64url(this.signature(signed, key, algorithm))}`;
  }

  signature(signed, key, algorithm) {
    switch (algorithm) {
      case 'RS256':
      case 'RS384':
      case 'RS512':
        return sign(`sha${algorithm.slice(2)}`, Buffer.from(signed), key.privateKey);
      case 'HS256':
        // The attack by which a public key becomes a shared secret.
        return createHmac('sha256', this.keys().pem).update(signed).digest();
      case 'none':
        return Buffer.alloc(0);
      default:
        throw new Error(`no algorithm ${algorithm}`);
    }
  }

  token(claims, header = this.header()) {
    return this.sign(JSON.stringify(header), JSON.stringify(claims));
  }

  close() {
    this.server.close();
    this.server.closeAllConnections();
  }
}
