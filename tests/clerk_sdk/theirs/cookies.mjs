// Cookie headers: which token counts. The matrix is of Clerk's cookies with and without the suffix, on a
// development and a production instance; others stand around them, in other spellings.
import { HOST, NOW } from './world.mjs';

/** What a session cookie may be; `sub` tells which of the two it was. */
const SESSIONS = {
  absent: () => undefined,
  empty: () => '',
  garbage: () => 'x.y.z',
  good: (claims) => claims,
  older: (claims) => ({ ...claims, iat: NOW - 40 }),
  newer: (claims) => ({ ...claims, iat: NOW - 1 }),
  expired: (claims) => ({ ...claims, iat: NOW - 100, exp: NOW - 40 }),
  expiredNow: (claims) => ({ ...claims, iat: NOW - 60, exp: NOW }),
  foreign: (claims) => ({ ...claims, iss: 'https://clerk.other.com' }),
  withoutIssuer: ({ iss, ...claims }) => claims,
  oddIssuer: (claims) => ({ ...claims, iss: 1 }),
  otherScheme: (claims) => ({ ...claims, iss: `HTTP://${HOST}` }),
  withoutTime: ({ iat, ...claims }) => claims,
  template: ({ sid, ...claims }) => claims,
};
const TIMES = ['absent', '0', String(NOW - 30), String(NOW - 10), String(NOW - 5), '', `${NOW - 30}x`, 'x', '00', '-5', '+7', ' 0'];
const KEYS = ['pk_test_Y2xlcmsuZXhhbXBsZS5jb20k', 'pk_live_Y2xlcmsuZXhhbXBsZS5jb20k'];

/** Other spellings of a pair; the first is the plain one. */
const PAIRS = [
  (name, value) => `${name}=${value}`,
  (name, value) => ` ${name} \t= ${value}\t`,
  (name, value) => `${name}="${value}"`,
  (name, value) => `${name}=${value.replace(/^./, (c) => `%${c.charCodeAt(0).toString(16)}`)}`,
  (name, value) => `${name}=${value.replaceAll('.', '%2E')}`,
  (name, value) => `${name}=${value.replace(/^./, (c) => `%${c.charCodeAt(0).toString(16)}`)}%`,
  (name, value) => `${name}=${value}; ${name}=x`,
  (name, value) => `${name}=x; ${name}=${value}`,
  (name, value) => `${name}; ${name}=${value}`,
  (name, value) => `${name}=; ${name}=${value}`,
  (name, value) => `${name.toUpperCase()}=x; ${name}=${value}`,
  (name, value) => `${name.replace('s', '%73')}=x; ${name}=${value}`,
  (name, value) => `${name}=${value}%ff`,
  (name, value) => `${name}=${value},`,
];

/** All of the matrix, in an order that goes through each of its dimensions soon. */
function* matrix() {
  const kinds = Object.keys(SESSIONS);
  const sizes = [kinds.length, kinds.length, TIMES.length, TIMES.length, KEYS.length];
  const all = sizes.reduce((a, b) => a * b);
  // Coprime to the number of rows, so that it meets each of them once.
  const step = 15_485_863;
  for (let i = 0; i < all; i += 1) {
    let row = (i * step) % all;
    const at = sizes.map((size) => {
      const place = row % size;
      row = Math.floor(row / size);
      return place;
    });
    yield { plain: kinds[at[0]], suffixed: kinds[at[1]], time: TIMES[at[2]], suffixedTime: TIMES[at[3]], key: KEYS[at[4]] };
  }
}

export async function* inputs(world, count) {
  const r = world.random;
  const { getCookieSuffix } = world.require('@clerk/shared/keys');
  const suffixes = Object.fromEntries(await Promise.all(KEYS.map(async (key) => [key, await getCookieSuffix(key)])));
  const minted = {};
  const mint = (kind, sub) => {
    const claims = SESSIONS[kind]({ ...world.claims(), sub });
    minted[`${kind} ${sub}`] ??= typeof claims === 'object' ? world.token(claims) : claims ?? null;
    return minted[`${kind} ${sub}`];
  };
  world.setNow(NOW * 1000);
  let rows = matrix();
  // The seed chooses where in the matrix a run begins.
  for (let skip = r.below(20_000); skip > 0; skip -= 1) rows.next();
  for (let i = 0; i < count; i += 1) {
    let next = rows.next();
    if (next.done) next = (rows = matrix()).next();
    const row = next.value;
    const suffix = suffixes[row.key];
    const values = {
      __session: mint(row.plain, 'user_plain'),
      [`__session_${suffix}`]: mint(row.suffixed, 'user_suffixed'),
      __client_uat: row.time === 'absent' ? null : row.time,
      [`__client_uat_${suffix}`]: row.suffixedTime === 'absent' ? null : row.suffixedTime,
    };
    const present = Object.entries(values).filter(([, value]) => value !== null);
    const spell = () => (i % 3 > 0 ? PAIRS[0] : r.pick(PAIRS));
    const pairs = present.map(([name, value]) => spell()(name, value));
    // A development instance's other cookies, without which the SDK looks at none of these.
    const browser = !(row.key.startsWith('pk_test_') && r.chance(5));
    if (browser) pairs.push('__clerk_db_jwt=dvb_1', `__clerk_db_jwt_${suffix}=dvb_1`);
    if (r.chance(30)) pairs.splice(r.below(pairs.length + 1), 0, r.pick(['a=b', 'x', '=', '', '__session_00000000=x', '__client_uat_0=0']));
    const cookie = pairs.join(r.chance(90) ? '; ' : ';');
    const clerk = world.backend.createClerkClient({ publishableKey: row.key, secretKey: 'sk_test_1', telemetry: { disabled: true } });
    // What no browser navigates by: it is not sent to Clerk and back.
    const request = new Request('http://localhost/', { headers: { cookie, 'sec-fetch-dest': 'empty' } });
    const state = await clerk.authenticateRequest(request, { jwtKey: world.keys().pem });
    const auth = state.toAuth();
    yield {
      key: row.key, row, cookie, browser,
      theirs: auth?.isAuthenticated ? { user: auth.userId } : { reason: state.reason },
    };
  }
}
