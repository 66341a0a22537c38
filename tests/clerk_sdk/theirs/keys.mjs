// Publishable keys: whether they are any, whose, and the suffix of their instance's cookies.
const HOSTS = [
  'clerk.example.com', 'happy-cat-12.clerk.accounts.dev', 'a.b', 'clerk.example.com:8443', '127.0.0.1:8003',
  '[::1]:8003', 'localhost', 'CLERK.example.com', 'x.y-z.co', 'clerk.example.com.', '.example.com', '-a.b', 'a_b.c',
  'evil.com/?a=.', 'user@evil.com', 'a.b#c', 'a.b:0', 'a.b:99999', 'a b.c', 'é.com', '', '.', 'a..b',
];
const ENDS = ['$', '$', '$', '$', '$', '', '$$', '$ ', '$x'];
const PREFIXES = ['pk_test_', 'pk_live_', 'pk_test_', 'pk_live_', 'pk_prod_', 'sk_test_', 'pk_', '', 'PK_TEST_', ' pk_test_', 'pk_test__'];

/** Other spellings of the base64. */
const SPELLINGS = [
  (text) => text.replace(/=+$/, ''),
  (text) => text.replace(/=+$/, ''),
  (text) => text,
  (text) => `${text}=`,
  (text) => `${text}\n`,
  (text) => `${text.slice(0, 5)} ${text.slice(5)}`,
  (text) => `${text.slice(0, 5)}\n${text.slice(5)}`,
  (text) => text.replaceAll('+', '-').replaceAll('/', '_'),
  (text) => text.slice(0, -1),
  (text) => `${text}_x`,
  (text) => `${text}_`,
  (text) => `${text.slice(0, 4)}-${text.slice(4)}`,
  (text) => text.replace(/[A-Za-z0-9](=*)$/, 'l$1'),
];

export async function* inputs(world, count) {
  const { getCookieSuffix, parsePublishableKey } = world.require('@clerk/shared/keys');
  const r = world.random;
  for (let i = 0; i < count; i += 1) {
    const letters = () => Array.from({ length: 1 + r.below(9) }, () => r.pick('abcxyz0189')).join('');
    const label = () => r.chance(50) ? letters() : `${letters()}-${letters()}`;
    const host = r.chance(65) ? `${label()}.${label()}.com` : r.pick(HOSTS);
    const prefix = r.chance(70) ? r.pick(['pk_test_', 'pk_live_']) : r.pick(PREFIXES);
    const spell = r.chance(60) ? SPELLINGS[r.below(3)] : r.pick(SPELLINGS);
    const key = prefix + spell(Buffer.from(host + (r.chance(80) ? '$' : r.pick(ENDS))).toString('base64'));
    const parsed = parsePublishableKey(key);
    yield {
      key,
      theirs: parsed && {
        host: parsed.frontendApi, live: parsed.instanceType === 'production', suffix: await getCookieSuffix(key),
      },
    };
  }
}
