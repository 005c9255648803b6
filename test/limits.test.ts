import t from 'tap';
import { containerSettings, supervisorRules, swarmSettings, trafficSettings } from '../lib/parts/limits.ts';
import { defaultOptions, parseOptions } from '../lib/settings/options.ts';

const settings = (line: string) => trafficSettings(parseOptions(line === '' ? [] : line.split(' '), {}));

t.test('the settings of traffic are plain data: a clone of them is the same', async (t) => {
  for (const line of ['', '--key cookie:s,client --trust-proxy loopback,10.0.0.0/8 --max-body-size off']) {
    t.strictSame(structuredClone(settings(line)), settings(line), line);
  }
  t.equal(structuredClone(settings('')).limits.maxBodyBytes, Number.POSITIVE_INFINITY);
});

t.test('nothing in them says who may do what', async (t) => {
  const open = settings('--trust-proxy all --host 0.0.0.0 --admin open');
  t.strictSame(settings('--trust-proxy all --host 0.0.0.0 --admin token --admin-token secret'), open);
  t.notMatch(JSON.stringify(open), /admin|token|explain|secret/i);
});

t.test('off is no bound, whichever end it is of', async (t) => {
  t.equal(settings('--min-upload-rate off').times.minUploadBytesPerSecond, 0);
  t.equal(settings('').times.minUploadBytesPerSecond, 500);
  t.equal(settings('--max-requests-per-connection off').limits.maxRequestsPerConnection, Number.POSITIVE_INFINITY);
});

t.test('only the sample service gets the balancer’s VOTES_URL in containers, and an option goes first', async (t) => {
  const variables = (...argv: string[]) => {
    const { environment } = containerSettings(parseOptions(argv, {}), { VOTES_URL: 'redis://a', PATH: '/bin' });
    return [...environment].map(([name, value]) => `${name}=${value}`);
  };
  t.same(variables('--runtime', 'docker'), ['VOTES_URL=redis://a']);
  t.same(variables('--runtime', 'docker', '--replica-env', 'VOTES_URL=redis://b'), ['VOTES_URL=redis://b']);
  t.same(variables('--docker-image', 'you/app', '--replica-env', 'A=1'), ['A=1']);
});

t.test(
  'in a Swarm the sample service’s VOTES_URL is hidden, since who may ask a manager can read variables',
  async (t) => {
    const settings = (...argv: string[]) => {
      const { environment, hidden } = swarmSettings(parseOptions(['--runtime', 'swarm', ...argv], {}), {
        VOTES_URL: 'redis://a',
      });
      return [[...environment], [...hidden]];
    };
    t.same(settings(), [[], [['VOTES_URL', 'redis://a']]]);
    t.same(settings('--replica-env', 'VOTES_URL='), [[], []]);
    t.same(settings('--docker-image', 'you/app', '--replica-env', 'VOTES_URL=b'), [[['VOTES_URL', 'b']], []]);
  },
);

t.test('without heartbeats nobody asks again and again', async (t) => {
  const [on, off] = ['/heartbeat', 'off'].map((heartbeatPath) =>
    supervisorRules({ ...defaultOptions(), heartbeatPath }),
  );
  t.same([on?.intervalMs, off?.intervalMs], [500, 86_400_000]);
  t.equal(off?.adoptTimeoutMs, on?.adoptTimeoutMs, 'other limits stay');
});
