// Tokens with options: headers, claims, times at their boundaries, signatures, spellings.
import { ISS, NOW, base64url } from './world.mjs';

const PARTIES = ['https://app.example.com', 'https://other.example.com', 'http://localhost:3000'];
const AUDIENCES = ['api', 'https://api.example.com', 'other'];
/** Values of wrong types, and edges of right ones, for any member. */
const ODD = [null, true, false, 0, 1, -1, 1.5, '', ' ', 'x', [], ['x'], {}, { x: 1 }];

/** What may become of a token's draft; each is as likely as it is often here. */
const CHANGES = {
  kid: (r, d) => set(d.header, 'kid', r.pick(['ins_1', 'ins_2', 'ins_3', undefined, ...ODD])),
  alg: (r, d) => {
    const value = r.pick(['RS256', 'RS384', 'RS512', 'none', 'HS256', 'ES256', 'rs256', undefined, ...ODD]);
    set(d.header, 'alg', value);
    if (['RS384', 'RS512', 'HS256', 'none'].includes(value)) d.algorithm = value;
  },
  typ: (r, d) => set(d.header, 'typ', r.pick(['JWT', 'jwt', 'at+jwt', 'application/at+jwt', 'JOSE', undefined, ...ODD])),
  cat: (r, d) => set(d.header, 'cat', r.pick([
    'cl_B7d4PD111AAA', 'cl_B7d4PD222AAA', 'cl_B7d4PD333AAA', 'cl_I7d4PD111III', 'cl_B7d4PD444AAA',
    undefined, undefined, ...ODD,
  ])),
  crit: (r, d) => set(d.header, 'crit', r.pick([[], ['exp'], ['b64'], null, 'exp'])),
  b64: (r, d) => set(d.header, 'b64', r.pick([true, false, null])),
  template: (r, d) => {
    set(d.header, 'cat', r.pick(['cl_B7d4PD222AAA', 'cl_I7d4PD111III', undefined]));
    set(d.claims, 'sid', r.pick([undefined, undefined, '', 'sess_1', null]));
  },
  unknownHeader: (r, d) => set(d.header, r.pick(['oiat', 'jku', 'jwk', 'x5c', 'zip', 'cty']), r.pick(ODD)),
  iss: (r, d) => set(d.claims, 'iss', r.pick([ISS, `${ISS}/`, 'https://clerk.other.com', [ISS], undefined, ...ODD])),
  sub: (r, d) => set(d.claims, 'sub', r.pick(['user_2', 'mch_1', 'mch_', '', undefined, ...ODD])),
  sid: (r, d) => set(d.claims, 'sid', r.pick(['sess_2', undefined, undefined, ...ODD])),
  azp: (r, d) => set(d.claims, 'azp', r.pick([...PARTIES, 'https://APP.example.com', [PARTIES[0]], undefined, ...ODD])),
  aud: (r, d) => {
    if (r.chance(60)) d.options.audience = r.pick([AUDIENCES[0], AUDIENCES, ['api']]);
    set(d.claims, 'aud', r.pick([
      ...AUDIENCES, AUDIENCES, ['api'], ['', 'api'], ['x', 'y'], ['api', 1], [['api']], '', [''], ...ODD,
    ]));
  },
  exp: (r, d) => set(d.claims, 'exp', time(r, -1, d)),
  nbf: (r, d) => set(d.claims, 'nbf', time(r, 1, d)),
  iat: (r, d) => set(d.claims, 'iat', time(r, 1, d)),
  sts: (r, d) => set(d.claims, 'sts', r.pick(['active', 'pending', 'pending', 'ended', undefined, ...ODD])),
  v: (r, d) => set(d.claims, 'v', r.pick([1, 2, 3, '2', undefined, ...ODD])),
  act: (r, d) => set(d.claims, 'act', r.pick([{ sub: 'user_9' }, ...ODD])),
  unknownClaim: (r, d) => set(d.claims, r.pick(['role', 'jti', 'metadata', 'fva', 'o', 'pla']), r.pick(ODD)),
  signer: (r, d) => { d.key = r.pick(['second', 'foreign']); if (r.chance(50)) d.header.kid = 'ins_2'; },
  signature: (r, d) => { d.signature = r.pick(['flip', 'cut', 'empty', 'long']); },
  spelling: (r, d) => { d.spelling = r.pick(Object.keys(SPELLINGS)); },
  text: (r, d) => { d.text = [r.pick(['header', 'claims']), r.pick(Object.keys(TEXTS))]; },
};

/** Times around the boundary that the option and the clock make, and times that are none. */
function time(r, direction, { options, now }) {
  const skew = options.clockSkewInMs ?? 5000;
  const boundary = (now + direction * skew) / 1000;
  const near = [0, 0.001, -0.001, 1, -1, 2, -2, 0.5, -0.5].map((step) => boundary + step);
  const whole = near.map(Math.floor);
  const far = [NOW - 86_400, NOW + 86_400, 0, -1, 253_402_300_799, 253_402_300_800, 8.64e12, 8.64e12 + 1, 1e20, -1e20];
  return r.pick(r.chance(60) ? [...near, ...whole] : [...far, String(NOW), undefined, ...ODD]);
}

/** Other texts of a part's JSON. */
const TEXTS = {
  spaced: (json) => ` ${json}\n`,
  mark: (json) => `\ufeff${json}`,
  trailing: (json) => `${json}x`,
  cut: (json) => json.slice(0, -1),
  array: (json) => `[${json}]`,
  nothing: () => '',
  null: () => 'null',
  number: () => '1',
  text: () => '"x"',
  invalid: (json) => Buffer.concat([Buffer.from(json.slice(0, -1)), Buffer.from(',"x":"'), Buffer.from([0xff]), Buffer.from('"}')]),
  surrogate: (json) => json.replace(/}$/, ',"x":"\\ud800"}'),
  huge: (json) => json.replace(/}$/, ',"x":1e999}'),
  deep: (json) => json.replace(/}$/, `,"x":${'['.repeat(200)}${']'.repeat(200)}}`),
  escaped: (json) => json.replace('"sub"', '"s\\u0075b"').replace('"alg"', '"\\u0061lg"'),
  doubled: (json) => json.replace(/^{/, '{"sub":"user_0","alg":"none","exp":1,"kid":"ins_9",'),
  doubledUnknown: (json) => json.replace(/^{/, '{"q":1,"q":2,'),
  long: (json) => json.replace(/}$/, `,"x":"${'x'.repeat(7_000)}"}`),
};

/** Other spellings of a whole token. */
const SPELLINGS = {
  padded: (token) => token.split('.').map((part) => part.padEnd(Math.ceil(part.length / 4) * 4, '=')).join('.'),
  paddedSignature: (token) => `${token}==`,
  standard: (token) => token.replaceAll('-', '+').replaceAll('_', '/'),
  leftover: (token) => {
    // An RSA-2048 signature ends in a letter of which four bits are left over.
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    return token.slice(0, -1) + letters[letters.indexOf(token.at(-1)) | 1];
  },
  two: (token) => token.split('.').slice(0, 2).join('.'),
  four: (token) => `${token}.x`,
  leadingDot: (token) => `.${token}`,
  trailingDot: (token) => `${token}.`,
  five: (token) => `${token}.${token}`,
  nothing: () => 'x',
  dots: () => '..',
  star: (token) => `${token}*`,
};

function set(object, name, value) {
  if (value === undefined) delete object[name];
  else object[name] = value;
}

function draft(r, header, claims) {
  const options = {};
  if (r.chance(30)) options.jwtKey = true;
  if (r.chance(40)) options.authorizedParties = r.pick([PARTIES, PARTIES, PARTIES.slice(0, 1), PARTIES.slice(1)]);
  if (r.chance(30)) options.audience = r.pick([...AUDIENCES.slice(0, 1), AUDIENCES, AUDIENCES.slice(1), ['api']]);
  if (r.chance(40)) options.clockSkewInMs = r.pick([0, 1, 499, 500, 999, 4_999, 5_000, 5_001, 60_000]);
  const now = NOW * 1000 + r.pick([0, 0, 1, 499, 500, 999]);
  return { header, claims, options, now, key: 'own', algorithm: 'RS256' };
}

function mint(world, d) {
  const texts = { header: JSON.stringify(d.header), claims: JSON.stringify(d.claims) };
  if (d.text) texts[d.text[0]] = TEXTS[d.text[1]](texts[d.text[0]]);
  let token = world.sign(texts.header, texts.claims, world[d.key], d.algorithm);
  if (d.signature) {
    const [header, claims, signature] = token.split('.');
    const bytes = Buffer.from(signature, 'base64url');
    const bent = {
      flip: () => { if (bytes.length > 0) bytes[world.random.below(bytes.length)] ^= 1 << world.random.below(8); return bytes; },
      cut: () => bytes.subarray(0, -1),
      empty: () => Buffer.alloc(0),
      long: () => Buffer.concat([bytes, Buffer.from([0])]),
    }[d.signature]();
    token = `${header}.${claims}.${base64url(bent)}`;
  }
  return d.spelling ? SPELLINGS[d.spelling](token) : token;
}

/** What the SDK says by its function for a token, and by the one for a request that carries it. */
async function judge(world, token, { jwtKey, ...options }, kind) {
  const keys = jwtKey ? { jwtKey: world.keys().pem } : { secretKey: 'sk_test_1', apiUrl: world.apiUrl };
  if (kind === 'verifyToken') {
    try {
      const { sub, sid } = await world.backend.verifyToken(token, { ...options, ...keys });
      return { ok: true, user: sub, session: sid };
    } catch (error) {
      return { ok: false, reason: error.reason ?? error.name };
    }
  }
  try {
    const request = new Request('http://localhost/', { headers: { authorization: `Bearer ${token}` } });
    const clerk = world.backend.createClerkClient({
      secretKey: 'sk_test_1', apiUrl: world.apiUrl, publishableKey: 'pk_test_Y2xlcmsuZXhhbXBsZS5jb20k',
      telemetry: { disabled: true },
    });
    const state = await clerk.authenticateRequest(request, { ...options, ...keys });
    const auth = state.toAuth();
    if (auth?.isAuthenticated) return { ok: true, user: auth.userId, session: auth.sessionId };
    return { ok: false, reason: state.reason ?? auth?.sessionStatus ?? state.status };
  } catch (error) {
    return { ok: false, reason: `thrown: ${error.name}` };
  }
}

export async function* inputs(world, count) {
  const r = world.random;
  const names = Object.keys(CHANGES);
  for (let i = 0; i < count; i += 1) {
    const d = draft(r, world.header(), world.claims());
    // Each change alone first, several times; then several in one token.
    const changes = i < count / 2 ? [names[i % names.length]] : r.several(names, 3);
    for (const name of changes) CHANGES[name](r, d);
    const token = mint(world, d);
    world.setNow(d.now);
    yield {
      token, options: d.options, now: d.now, changes,
      genuine: !d.signature && d.key !== 'foreign' && d.algorithm !== 'HS256' && d.algorithm !== 'none',
      verifyToken: await judge(world, token, d.options, 'verifyToken'),
      authenticateRequest: await judge(world, token, d.options, 'authenticateRequest'),
    };
  }
}
