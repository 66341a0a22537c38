// Opaque tokens of machines: whether they pass by what the Backend API answers about them.
const KINDS = [
  ['ak_', 'api_key', ['user_1', 'org_1', 'mch_1', 'app_1', '', null, 7]],
  ['mt_', 'machine_to_machine_token', ['mch_1', 'mch_1', 'user_1', '', null]],
  ['oat_', 'clerk_idp_oauth_access_token', ['user_1', 'user_1', 'org_1', '', null]],
];
const STATUSES = [200, 200, 200, 200, 200, 200, 200, 201, 400, 401, 403, 404, 422, 429, 500, 503];
const LETTERS = 'ABCDEFGHabcdefgh01234567+/-_';

/** Changes of a good answer. */
const CHANGES = [
  ['revoked', [true, true, null, 'false', 0]],
  ['expired', [true, true, null]],
  ['object', ['session', null, 'api_key']],
  ['id', ['', null, 7]],
  ['expiration', [1, 1_790_000_000_000, 1_790_000_000_001, 'never', null]],
  ['scopes', [[], ['a'], 'a', null]],
  ['claims', [null, { plan: 'free' }, 'x']],
  ['other', [true]],
];

export async function* inputs(world, count) {
  const r = world.random;
  for (let i = 0; i < count; i += 1) {
    const [prefix, object, subjects] = r.pick(KINDS);
    const secret = Array.from({ length: 16 + r.below(40) }, () => r.pick(LETTERS)).join('');
    const token = `${prefix}${secret}${r.pick(['', '', '=', '=='])}`;
    const body = {
      object, id: `${prefix}0123`, subject: r.chance(75) ? subjects[0] : r.pick(subjects), scopes: ['posts:read'],
      claims: null, revoked: false, expired: false, expiration: null, name: 'ci', client_id: 'app_1',
      created_at: 1, updated_at: 1,
    };
    for (const [name, values] of r.several(CHANGES, 2)) {
      if (r.chance(15)) delete body[name];
      else body[name] = r.pick(values);
    }
    const inactive = r.chance(6);
    const answer = { status: r.pick(STATUSES), body: JSON.stringify(inactive ? { active: false } : body) };
    world.answer = answer;
    const options = { secretKey: 'sk_test_x', apiUrl: world.apiUrl };
    const { data, errors } = await world.internal.verifyMachineAuthToken(token, options);
    world.answer = null;
    const passes = !errors && data;
    yield { token, ...answer, theirs: passes ? { subject: data.subject ?? null } : null, error: errors?.[0]?.code ?? null };
  }
}
