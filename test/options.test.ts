import t from 'tap';
import { helpText, optionsTable } from '../lib/settings/help.ts';
import { defaultOptions, ignoredInEnvironment, OptionError, parseOptions } from '../lib/settings/options.ts';
import { GROUPS, OPTIONS } from '../lib/settings/table.ts';

const parse = (line: string, environment: Record<string, string> = {}) =>
  parseOptions(line === '' ? [] : line.split(' '), environment);

const variable = (name: string) => `RINGMASTER_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

t.test('the defaults of the contract', async (t) => {
  t.match(defaultOptions(), {
    port: 5000,
    host: '127.0.0.1',
    replicas: 3,
    maxReplicas: 64,
    slots: 512,
    virtualNodes: 9,
    key: [{ type: 'request' }],
    heartbeatPath: '/heartbeat',
    graceMs: 10_000,
  });
  t.equal(defaultOptions().upstream.size, 0);
});

t.test('the command line goes before the environment, the environment before the default', async (t) => {
  t.equal(parse('--port 1', { RINGMASTER_PORT: '2' }).port, 1);
  t.equal(parse('', { RINGMASTER_PORT: '2', RINGMASTER_HEARTBEAT_INTERVAL: '2s' }).port, 2);
  t.equal(parse('', { RINGMASTER_HEARTBEAT_INTERVAL: '2s' }).heartbeatIntervalMs, 2000);
});

t.test('a small ring lowers the limit of replicas, since each needs a slot', async (t) => {
  t.equal(parse('--slots 32').maxReplicas, 32);
  t.equal(parse('--slots 1000').maxReplicas, 64);
});

t.test('the bound on load is on by default with even and request ids; what is given counts', async (t) => {
  t.equal(parse('').balanceFactor, 1.25);
  t.equal(parse('--key request').balanceFactor, 1.25);
  t.equal(parse('--key client').balanceFactor, Number.POSITIVE_INFINITY);
  t.equal(parse('--hash modulo').balanceFactor, Number.POSITIVE_INFINITY);
  t.same(
    [parse(''), parse('--key client'), parse('--key client --balance-floor 2')].map((one) => one.balanceFloor),
    [1, 8, 2],
  );
  t.equal(parse('--hash modulo --key client --balance-factor 2').balanceFactor, 2);
  t.equal(parse('--balance-factor off').balanceFactor, Number.POSITIVE_INFINITY);
});

t.test('outliers are eased by default where requests go by their ids', async (t) => {
  const eases = ['', '--key request', '--key client', '--key client --ease-outliers on', '--ease-outliers off'];
  t.same(
    eases.map((text) => parse(text).easeOutliers),
    [true, true, false, true, false],
  );
});

t.test('how many replicas start at a time goes by the processors, unless it is said', async (t) => {
  t.ok(parse('').parallelStarts >= 2);
  t.equal(parse('--parallel-starts 0').parallelStarts, parse('').parallelStarts);
  t.equal(parse('--parallel-starts 1').parallelStarts, 1);
});

t.test('a slow start is for requests with a key', async (t) => {
  t.equal(parse('--slow-start 10s').slowStartMs, 0);
  t.equal(parse('--slow-start 10s --key client').slowStartMs, 10_000);
  t.equal(parse('--key client').slowStartMs, 0);
});

t.test('no default is left open: every option has a value', async (t) => {
  for (const [name, value] of Object.entries(defaultOptions())) t.not(value, undefined, name);
});

t.test('times are in ms or with a unit', async (t) => {
  t.equal(parse('--grace 250').graceMs, 250);
  t.equal(parse('--grace=250ms').graceMs, 250);
  t.equal(parse('--grace 2s').graceMs, 2000);
  t.equal(parse('--grace 1m').graceMs, 60_000);
  t.equal(parse('--replica-memory 1g --replica-cpus 0.5').replicaMemoryBytes, 2 ** 30);
  t.equal(parse('--replica-cpus 0.5').replicaCpus, 0.5);
});

t.test('lists', async (t) => {
  t.same(
    [...parse('--upstream localhost:81,[::1]:82*3,unix:/a/b.sock').upstream],
    [
      ['localhost:81', { address: { type: 'tcp', host: 'localhost', port: 81 }, weight: 1 }],
      ['[::1]:82', { address: { type: 'tcp', host: '::1', port: 82 }, weight: 3 }],
      ['unix:/a/b.sock', { address: { type: 'unix', path: '/a/b.sock' }, weight: 1 }],
    ],
  );
  t.same(
    [...parse('--upstream dns:App.test:81*3,dns:_http._tcp.App.test,swarm:Web,swarm:web:80*2,dns:80').upstream],
    [
      ['dns:app.test:81', { lookup: { type: 'dns', name: 'app.test', port: 81 }, weight: 3 }],
      ['dns:_http._tcp.app.test', { lookup: { type: 'dns', name: '_http._tcp.app.test', port: undefined }, weight: 1 }],
      ['swarm:Web', { lookup: { type: 'swarm', name: 'Web', port: undefined }, weight: 1 }],
      ['swarm:web:80', { lookup: { type: 'swarm', name: 'web', port: 80 }, weight: 2 }],
      ['dns:80', { address: { type: 'tcp', host: 'dns', port: 80 }, weight: 1 }],
    ],
  );
  t.same(parse('--dns-servers 127.0.0.1:8600,::1,[::1]:53').dnsServers, ['127.0.0.1:8600', '::1', '[::1]:53']);
  t.same(parse('--key cookie:s,header:X-User,request').key, [
    { type: 'cookie', name: 's' },
    { type: 'header', name: 'X-User' },
    { type: 'request' },
  ]);
});

t.test('a command is all that follows a lone --, options of its own included', async (t) => {
  const options = parse('--port 1 -- node --inspect app.js -- --port 2');
  t.match(options, { port: 1, replicaListen: 'port', replicaOutput: 'prefix' });
  t.same(options.command, ['node', '--inspect', 'app.js', '--', '--port', '2']);
  t.match(parse(''), { command: [], replicaListen: 'socket', replicaOutput: 'inherit' });
  t.match(parse('-- gunicorn -b unix:{socket} app:app'), { replicaListen: 'socket' });
  t.match(parse('--replica-listen socket --replica-output off -- x'), {
    replicaListen: 'socket',
    replicaOutput: 'off',
  });
});

t.test('an image of one’s own runs in containers, with none of what the sample service has', async (t) => {
  t.match(parse('--runtime docker'), { dockerPort: 0, dockerLockdown: true, dockerInit: false });
  t.same([...parse('--runtime docker').dockerVolume], [['/data', 'ringmaster-votes']]);
  t.match(parse('--docker-image you/app -- node app.js {port}'), {
    runtime: 'docker',
    dockerLockdown: false,
    dockerInit: true,
    command: ['node', 'app.js', '{port}'],
  });
  t.same([...parse('--docker-image you/app').dockerVolume], []);
  t.same(
    [
      ...parse('--docker-image you/app --docker-volume one:/a --docker-volume two:/b/c --docker-volume three:/a')
        .dockerVolume,
    ],
    [
      ['/a', 'three'],
      ['/b/c', 'two'],
    ],
  );
  t.match(parse('--docker-image you/app --docker-port 3000 --docker-lockdown --docker-init off'), {
    dockerPort: 3000,
    dockerLockdown: true,
    dockerInit: false,
  });
});

t.test('in a Swarm: constraints and secrets, one a flag or one a line', async (t) => {
  t.match(parse('--runtime swarm --swarm-constraint node.role==worker --swarm-constraint node.labels.zone!=b'), {
    swarmConstraint: ['node.role==worker', 'node.labels.zone!=b'],
    swarmSecret: [],
  });
  t.same(parse('--runtime swarm', { RINGMASTER_SWARM_SECRET: 'one\ntwo\none' }).swarmSecret, ['one', 'two']);
});

t.test('variables of replicas: the flag is repeated, and values hold anything', async (t) => {
  t.same(
    [...parseOptions(['--replica-env', 'A=1,B=2', '--replica-env=C==x\ny', '--replica-env', 'A=3'], {}).replicaEnv],
    [
      ['A', '3'],
      ['C', '=x\ny'],
    ],
  );
  t.same(
    [...parse('', { RINGMASTER_REPLICA_ENV: 'A=1\n\nB=\n' }).replicaEnv],
    [
      ['A', '1'],
      ['B', ''],
    ],
  );
  t.same([...parse('--replica-env C=3', { RINGMASTER_REPLICA_ENV: 'A=1' }).replicaEnv], [['C', '3']]);
});

const REFUSED: [string, RegExp][] = [
  ['--hepl', /^unknown option --hepl: did you mean --help\?$/],
  ['--prot 1', /^unknown option --prot: did you mean --port\?$/],
  ['--colour red', /^unknown option --colour; --help lists them$/],
  [
    '5000',
    /^unexpected argument 5000: .* a command follows a lone -- \(npm start takes one for itself: npm start -- -- node app\.js\)$/,
  ],
  ['--port 1 --', /^-- needs a command after it/],
  ['--upstream a:1 -- node app.js', /^a command after -- and --upstream: .* name one of them$/],
  [
    '--runtime docker -- node app.js',
    /^a command after -- is run as child processes, or in an image that --docker-image/,
  ],
  ['--docker-image a -- node {socket}', /^the command has \{socket\}, but containers listen on a port: \{port\}$/],
  ['--docker-port 3000', /^--docker-port is for containers: name their image with --docker-image$/],
  ['--docker-image a --replica-cwd /srv', /^--replica-cwd is for child processes/],
  ['--docker-image a --runtime process', /^--docker-image is for containers: leave out --runtime process$/],
  ['--runtime swarm --replica-cwd /srv', /^--replica-cwd is for child processes/],
  ['--swarm-constraint node.role==worker', /^--swarm-constraint is for replicas in a Swarm: --runtime swarm$/],
  ['--runtime docker --swarm-secret a', /^--swarm-secret is for replicas in a Swarm/],
  ['--runtime swarm --swarm-constraint worker', /^--swarm-constraint takes such as node\.role==worker or/],
  ['--runtime swarm --swarm-secret ../a', /^--swarm-secret takes letters, digits/],
  ['--docker-volume votes', /^--docker-volume takes NAME:\/PATH, in the environment one a line, not "votes"$/],
  ['--docker-volume ./data:/data', /--docker-volume takes/],
  ['--docker-volume a:data', /--docker-volume takes/],
  ['--docker-port 0', /^--docker-port takes a whole number from 1 to 65535, or auto, not "0"$/],
  ['--replica-listen port -- x {socket}', /^the command has \{socket\}, but its replicas listen on a port/],
  ['--replica-listen socket -- x {port}', /^the command has \{port\}, but its replicas listen on a socket/],
  ['-- x {socket} {port}', /^the command has \{port\}/],
  ['--replica-env s3cret', /^--replica-env takes NAME=VALUE.*, not that$/],
  ['--replica-env =s3cret', /^--replica-env takes/],
  ['--replica-env PORT=80', /^--replica-env cannot set PORT: each replica gets its own$/],
  ['--replica-output loud', /^--replica-output takes inherit, prefix or off, not "loud"$/],
  ['--port', /^--port needs a value: a whole number from 0 to 65535$/],
  ['--port 65536', /^--port takes a whole number from 0 to 65535, not "65536"$/],
  ['--port 1e3', /--port takes/],
  ['--port -1', /--port takes/],
  ['--replicas many', /--replicas takes a whole number from 0 to 1000, not "many"/],
  ['--replicas 65', /^--replicas takes at most --max-replicas, which is 64, not 65$/],
  ['--slots 2', /^--replicas takes at most --slots, which is 2, not 3$/],
  [
    '--slots 65536 --virtual-nodes 256 --max-replicas 65',
    /^--max-replicas times --virtual-nodes may be at most 16384, not 65 times 256$/,
  ],
  [
    '--key request,client',
    /^--key takes .*, not "request,client": at character 9, "client": nothing comes after request, which/,
  ],
  ['--slots 32 --max-replicas 33', /^--max-replicas takes at most --slots, which is 32, not 33$/],
  ['--heartbeat-path health', /--heartbeat-path takes a path that begins with \/, tcp, or off, not "health"/],
  ['--runtime podman', /--runtime takes .*, not "podman"/],
  ['--hash mine.ts', /not "mine\.ts": for that file write \.\/mine\.ts$/],
  ['--hash modul', /not "modul": did you mean modulo\?$/],
  ['--hash sha1', /--hash takes .*, or the path of a module, not "sha1"/],
  ['--key header', /--key takes a list of .*, not "header"/],
  ['--key header:', /--key takes/],
  ['--issue-cookie', /^--issue-cookie is for a --key that ends with cookie:NAME, not request$/],
  ['--issue-cookie --key cookie:s,client', /not cookie:s,client$/],
  ['--issue-cookie --key host+cookie:s', /not host\+cookie:s$/],
  ['--issue-cookie --key cookie:(s)', /not cookie:\(s\)$/],
  ['--cookie-max-age 401d', /--cookie-max-age takes a time from 1s to 9600h, or off/],
  [
    '--upstream localhost',
    /--upstream takes a list of host:port, unix:\/path, .*, none twice, with `\*2` to `\*16` for a weight, not "localhost"/,
  ],
  ['--upstream a:1,a:1', /--upstream takes/],
  ['--upstream dns:a:1,dns:A:1', /--upstream takes .* none twice/],
  ['--upstream dns:a:70000', /--upstream takes/],
  ['--upstream dns:a.b', /--upstream takes/],
  ['--upstream swarm:a:0', /--upstream takes/],
  [
    `--upstream ${Array.from({ length: 17 }, (_, index) => `dns:a${index}:1`).join(',')}`,
    /at most 16 names that are looked up, not 17/,
  ],
  ['--dns-servers localhost:53', /--dns-servers takes a list of addresses/],
  ['--upstream App:80,app:80', /--upstream takes .* none twice/],
  ['--upstream a:80,a:080*2', /--upstream takes .* none twice/],
  ['--upstream a:70000', /--upstream takes/],
  ['--upstream a:1,a:1*2', /--upstream takes/],
  ['--upstream a:1*17', /--upstream takes/],
  ['--upstream a:1*0', /--upstream takes/],
  ['--upstream a:1*2,b:1 --slots 2', /^--upstream takes at most --slots, which is 2, not 3$/],
  ['--upstream a:1,b:2,c:3 --slots 2', /^--upstream takes at most --slots, which is 2, not 3$/],
  ['--admin-token s3cret\u00a0', /^--admin-token takes visible characters of ASCII, not that$/],
  ['--replica-memory 1m', /--replica-memory takes a size from 16m to 1024g, not "1m"/],
  ['--replica-cpus x', /--replica-cpus takes a number from 0.05 to 1024, not "x"/],
  ['--fleet a/b', /--fleet takes letters, digits/],
  ['--heartbeat-interval 5', /--heartbeat-interval takes a time from 10ms to 1h, not "5"/],
  ['--heartbeat-interval 5d', /--heartbeat-interval takes/],
  [
    '--votes-url redis://:s3cret@a',
    /^--votes-url is no option any more: .* VOTES_URL, which --replica-env VOTES_URL=… sets$/,
  ],
  [
    '--data-dir=/srv',
    /^--data-dir is no option any more: --state-dir is .*; .* DATA_DIR, which --replica-env DATA_DIR=…/,
  ],
  ['--log loud', /--log takes off, error, warn, info or debug, not "loud"/],
];

for (const [line, message] of REFUSED) {
  t.test(`refused: ${line}`, async (t) => {
    t.throws(() => parse(line), message);
    t.throws(() => parse(line), OptionError);
  });
}

t.test('a wrong environment variable is named', async (t) => {
  t.throws(
    () => parse('', { RINGMASTER_PORT: 'tcp://10.0.0.1' }),
    /^RINGMASTER_PORT takes a whole number .* not "tcp:/,
  );
});

t.test('an empty variable says nothing, whichever option it is of', async (t) => {
  const empty = Object.fromEntries(Object.keys(defaultOptions()).map((name) => [variable(name), '']));
  t.same(parse('', empty), defaultOptions());
});

t.test(
  'a variable that was an option once is refused unless it is empty, so that nothing moves unnoticed',
  async (t) => {
    t.throws(
      () => parse('', { RINGMASTER_DATA_DIR: '/srv' }),
      /^RINGMASTER_DATA_DIR is no option any more: --state-dir/,
    );
    t.same(parse('', { RINGMASTER_VOTES_URL: '', VOTES_URL: 'redis://a' }), defaultOptions());
  },
);

t.test('what Kubernetes sets for services is no value, and no mistake', async (t) => {
  const environment = {
    RINGMASTER_PORT: 'tcp://10.0.0.1:5000',
    RINGMASTER_ADMIN_PORT: 'udp://[fd00::1]:53',
    RINGMASTER_SERVICE_HOST: '10.0.0.1',
    RINGMASTER_SERVICE_PORT: '5000',
    RINGMASTER_SERVICE_PORT_HTTP: '5000',
    RINGMASTER_PORT_5000_TCP: 'tcp://10.0.0.1:5000',
    RINGMASTER_PORT_5000_TCP_PROTO: 'tcp',
    RINGMASTER_ADMIN_SERVICE_HOST: '10.0.0.1',
    RINGMASTER_ADMIN_PORT_53_UDP_ADDR: '10.0.0.1',
  };
  t.match(parse('', environment), { port: 5000, adminPort: 0 });
  t.same(
    ignoredInEnvironment(environment).map((one) => one.variable),
    ['RINGMASTER_PORT', 'RINGMASTER_ADMIN_PORT'],
  );
  t.equal(parse('--port 1', environment).port, 1);
});

t.test('a variable that is no option is named, with the nearest that is', async (t) => {
  const reason = (name: string) => ignoredInEnvironment({ [name]: '1' })[0]?.reason;
  t.match(reason('RINGMASTER_PROT'), /did you mean RINGMASTER_PORT\?$/);
  t.match(reason('RINGMASTER_HEARTBEAT_INTERVALL'), /did you mean RINGMASTER_HEARTBEAT_INTERVAL\?$/);
  t.match(reason('RINGMASTER_MAXREPLICAS'), /did you mean RINGMASTER_MAX_REPLICAS\?$/);
  t.match(reason('RINGMASTER_SOMETHING_ELSE_ALTOGETHER'), /no such option; --help lists them$/);
  t.equal(reason('RINGMASTER_PORT'), undefined);
  t.equal(reason('OTHER_PROT'), undefined);
  t.same(ignoredInEnvironment({ RINGMASTER_PROT: '' }), []);
});

t.test('options are shown in groups, each under its name and what it is about, and each option in one', async (t) => {
  const [help, tables] = [helpText(), optionsTable()];
  for (const { name, about, rows } of GROUPS) {
    const [inHelp = '', inTables = ''] = [
      help.split(`\n${name}: ${about}\n`)[1]?.split('\n\n')[0],
      tables.split(`### ${name}\n`)[1]?.split('\n###')[0],
    ];
    t.same(
      inHelp.match(/^ {2}--[\w-]+/gm)?.map((start) => start.slice(4)),
      Object.keys(rows),
      name,
    );
    t.same(
      inTables.match(/^\| `--[\w-]+/gm)?.map((start) => start.slice(5)),
      Object.keys(rows),
      name,
    );
  }
  const flags = GROUPS.flatMap(({ rows }) => Object.keys(rows));
  t.same(flags.toSorted(), [...OPTIONS.keys()].sort());
});

t.test('every option says whether it can change while the balancer runs, and why not', async (t) => {
  const rows = [...OPTIONS];
  for (const [flag, { changes }] of rows) {
    t.ok(changes === 'live' || changes.atStart !== '', flag);
  }
  t.same(
    rows.flatMap(([flag, { changes }]) => (changes === 'live' ? [flag] : [])),
    [
      ...['log', 'access-log', 'access-log-format', 'access-log-file', 'traceparent'],
      ...[
        'replicas',
        'upstream',
        'autoscale',
        'autoscale-target',
        'autoscale-window',
        'autoscale-down-after',
        'autoscale-down-rate',
        'peers',
        'hash',
        'key',
        'issue-cookie',
        'cookie-max-age',
        'balance-factor',
        'balance-floor',
        'balance-by',
        'slow-start',
        'ease-outliers',
      ],
      ...['max-connections', 'max-requests-per-connection', 'head-timeout', 'keep-alive-timeout', 'min-upload-rate'],
      ...['client-half-close', 'reply-timeout', 'request-timeout', 'body-timeout', 'tunnel-idle-timeout'],
      ...['rehome-tunnels', 'queue'],
      ...[
        'queue-timeout',
        'overload-wait',
        'shed-first',
        'max-attempts',
        'retry-budget',
        'quarantine',
        'connect-timeout',
        'replica-idle-timeout',
      ],
      ...[
        'replica-keep-alive',
        'max-in-flight',
        'max-tunnels',
        'max-body-size',
        'underscores',
        'via',
        'explain-header',
      ],
    ],
  );
});

t.test('help and the table of the reference name every option with its bounds and default', async (t) => {
  for (const text of [helpText(), optionsTable()]) {
    for (const option of ['port', 'heartbeat-path', 'virtual-nodes', 'max-replicas']) t.match(text, `--${option}`);
    t.match(text, /a\s+whole number from 0 to 65535/);
  }
  t.ok(
    helpText()
      .split('\n')
      .every((line) => line.length <= 80),
  );
});

t.test('who has a list of members follows it, unless it is said who writes it', async (t) => {
  t.same(
    ['', '--members m', '--members m --role follower', '--members m --role controller'].map((line) => parse(line).role),
    ['alone', 'follower', 'follower', 'controller'],
  );
  const refused: [string, RegExp][] = [
    ['--role controller', /^--role controller takes --members$/],
    ['--role follower', /^--role follower takes --members$/],
    ['--members dns:app', /^--members takes a path, dns:name:port, dns:_service/],
    [
      '--members dns:app:80 --role controller',
      /^--role controller writes a file, and dns:app:80 is a name that is looked up$/,
    ],
    ['--members m --role alone', /^--members is for --role controller or follower, not alone$/],
    ['--members m --upstream a:1', /^--role follower has the replicas of its --members and no others/],
    ['--members m --keep-scale', /^--role follower has the replicas of its --members and no others/],
    ['--members m --autoscale 1:2', /^--role follower has the replicas of its --members and no others/],
    ['--members m -- node app.js', /^--role follower has the replicas of its --members and no others/],
  ];
  for (const [line, message] of refused) t.throws(() => parse(line), { name: 'OptionError', message }, line);
  t.equal(parse('--members swarm:app').role, 'follower');
  t.equal(parse('--members ./dns:app').members, './dns:app', 'the path of a file');
  t.equal(parse('--members m --max-replicas 100 --slots 50').members, 'm', 'what says how many to start means nothing');
});

t.test('peers are URLs of hosts alone', async (t) => {
  t.same(parse('--peers http://a:1/,http://[::1]:2').peers, ['http://a:1', 'http://[::1]:2']);
  for (const bad of [
    'a:1',
    'https://a:1',
    'http://a:1/x',
    'http://a@b:1',
    'http://a:1?x',
    'http://a:99999',
    'http://a,',
  ]) {
    t.throws(() => parse(`--peers ${bad}`), { name: 'OptionError' }, bad);
  }
  t.throws(() => parse('--peers http://a:1,http://a:1/'), { message: /none twice/ });
});
