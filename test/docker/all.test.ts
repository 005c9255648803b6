// Everything that needs a real Docker Engine, one after the other, because container names are shared by the whole
// machine.

import t from 'tap';
import { engineMissing } from '../fixtures/engine.ts';
import { adoption } from './adoption.ts';
import { compose } from './compose.ts';
import { contract } from './contract.ts';
import { daemonFaults } from './daemon-faults.ts';
import { foreignImage } from './foreign-image.ts';
import { handingOver } from './handing-over.ts';
import { ownApp } from './own-app.ts';
import { ownership } from './ownership.ts';
import { replacement } from './replacement.ts';

const missing = engineMissing();
const options = missing === undefined ? {} : { skip: missing };

t.test('the runtime contract on Docker', options, contract);
t.test('containers that end or hang are replaced', options, replacement);
t.test('a balancer that was killed finds its replicas again', options, adoption);
t.test('a balancer that is replaced leaves its replicas to the next one', options, handingOver);
t.test('an image that knows nothing of us', options, foreignImage);
t.test('an app of one’s own, in the image of the balancer and behind it', options, ownApp);
t.test('whose a fleet, a name and a container are', options, ownership);
t.test('a Docker daemon that fails', options, daemonFaults);
t.test('docker compose up, from first to last', options, compose);
