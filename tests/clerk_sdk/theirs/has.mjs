// `has` of the auth object, and the organization that it shows, for claims of both versions.
const FEATURES = [
  'o:repos', 'u:gold', 'o:repos,o:projects', 'u:gold,o:repos,o:projects', 'o:repos,u:gold,uo:chat,o:projects',
  'ou:chat,o:repos', ' o:repos , u:gold ', 'o:repos,', 'repos', 'x:repos,o:projects', 'O:repos', 'o:a:b', 'o:', ':repos', '',
  'o:repos,projects', 'u:repos', 'o:repos,o:repos',
];
const PLANS = ['o:pro', 'u:free', 'o:pro,u:free', 'uo:pro', 'pro', '', ' u:free', 'u:free,', 'org:pro'];
const NAMES = ['read', 'read,write', ' read , write ', 'read,write,manage', '', 'read,,write', 'read'];
const MASKS = ['1', '1,2', '3,1,2', '7,7,7', '0', '0,3', '', ' 3 , 1 ', '-1', '1.5,3', '0x1', '+1', '003', '18446744073709551617',
  '340282366920938463463374607431768211459,3', 'x,3', '1,,2', '4'];
const ROLES = ['admin', 'org:admin', 'org:org:admin', 'editor', 'Admin', ''];
const PERMISSIONS = [
  [], ['org:repos:read'], ['org:repos:read', 'org:projects:write'], ['repos:read'], ['org:org:repos:read'], [''], ['org:'],
];
const AGES = [
  [0, 0], [5, 5], [9, 10], [10, 9], [10, 10], [59, 60], [1439, 1440], [-1, -1], [5, -1], [-1, 5], [10, -1], [-1, 10],
  [5, 100], [100, 5], [0.5, 9.99], [-0.5, 5], [-2, 5], [5], [5, 5, 5], ['5', '5'], [null, 5], null, 'x', {}, [], 1e300, [1e300, 1e300],
];
const ODD = [null, true, false, 0, 1, '', [], ['x'], {}];

const ASKED = {
  role: [...ROLES, 'org:editor', 'org:', 'viewer'],
  permission: ['repos:read', 'org:repos:read', 'org:org:repos:read', 'org:repos:write', 'projects:write', 'chat:read', 'a:read',
    'a:b:read', 'org:projects:manage', 'read', '', 'org:', 'repos:', 'REPOS:READ'],
  feature: ['repos', 'gold', 'projects', 'chat', 'org:repos', 'o:repos', 'organization:repos', 'user:gold', 'u:gold', 'user:repos',
    'ou:chat', 'ORG:repos', ':repos', 'org:', 'a', 'a:b', 'org:a:b', 'org:repos:x', '', ' repos', 'Repos', 'o', 'x:repos'],
  plan: ['pro', 'free', 'org:pro', 'user:free', 'user:pro', 'o:free', '', 'org:', 'Pro', 'u:free:x'],
  reverification: ['strict_mfa', 'strict', 'moderate', 'lax', 'strict_mfa', 'strict',
    ...['first_factor', 'second_factor', 'multi_factor'].flatMap((level) =>
      [1, 10, 60, 0, 0.5].map((afterMinutes) => ({ level, afterMinutes })))],
};

function claims(world) {
  const r = world.random;
  // The plain values, which stand first, half of the time.
  const value = (list) => (r.chance(50) ? r.pick(list.slice(0, 5)) : r.pick(r.chance(95) ? list : ODD));
  const optional = (percent, list) => (r.chance(percent) ? value(list) : undefined);
  const organization = () => ({
    id: r.chance(90) ? 'org_1' : r.pick([...ODD, undefined]),
    slg: optional(80, ['acme']), rol: optional(90, ROLES), per: optional(85, NAMES), fpm: optional(85, MASKS),
  });
  return {
    ...world.claims(),
    v: r.pick([2, 2, 2, 2, undefined, undefined, undefined, 1, 3, '2', 2.0, null]),
    o: r.chance(75) ? organization() : optional(30, ODD),
    fea: optional(85, FEATURES),
    pla: optional(75, PLANS),
    org_id: r.chance(6) ? r.pick(ODD) : optional(60, ['org_1']), org_slug: optional(50, ['acme']), org_role: optional(60, ROLES),
    org_permissions: optional(60, PERMISSIONS),
    fva: optional(85, AGES),
    act: optional(10, [{ sub: 'user_9', sid: 'sess_9' }]),
  };
}

/** One question: mostly one requirement, or several that all have to hold. */
function question(r) {
  const kinds = Object.keys(ASKED);
  const asked = { [r.pick(kinds)]: null };
  for (const kind of r.several(kinds, r.chance(60) ? 0 : 2)) asked[kind] = null;
  for (const kind of Object.keys(asked)) asked[kind] = r.pick(r.chance(50) ? ASKED[kind].slice(0, 4) : ASKED[kind]);
  return asked;
}

export async function* inputs(world, count) {
  const r = world.random;
  const { signedInAuthObject } = world.internal;
  const { decodeJwt } = world.require('@clerk/backend/jwt');
  // Many questions to each token, as signing it takes longest.
  const each = 25;
  for (let i = 0; i < count; i += each) {
    const token = world.token(claims(world));
    const questions = Array.from({ length: each }, () => ({ asked: question(r) }));
    let organization;
    try {
      // What `toAuth` of a request makes of a verified token.
      const auth = signedInAuthObject({}, token, decodeJwt(token).payload ?? decodeJwt(token).data.payload);
      for (const one of questions) one.theirs = auth.has(one.asked);
      const { orgId, orgSlug, orgRole, orgPermissions } = auth;
      organization = { ok: { id: orgId ?? null, slug: orgSlug ?? null, role: orgRole ?? null, permissions: orgPermissions ?? [] } };
    } catch (error) {
      organization = { thrown: error.message };
    }
    yield { token, questions, organization };
  }
}
