// What needs a real Swarm: the engine of this machine as a manager (../shared/engine/up --swarm), or the manager at
// SWARM_HOST, as DOCKER_HOST is written, whose nodes can be reached from here.

import t from 'tap';
import { swarmMissing } from '../fixtures/swarm.ts';
import { contract } from './contract.ts';
import { life } from './life.ts';
import { stack } from './stack.ts';
import { upstream } from './upstream.ts';

const missing = swarmMissing();
const options = missing === undefined ? { timeout: 600_000 } : { skip: missing };

t.test('the runtime contract on a Swarm', options, contract);
t.test('a balancer with a Swarm, from first to last', options, life);
t.test('the stack of a balancer and its replicas', options, stack);
t.test('a service that somebody else runs', options, upstream);
