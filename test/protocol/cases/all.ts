// All cases.

import type { Case } from '../case.ts';
import { BAD_REPLIES } from './bad-replies.ts';
import { CHUNK_SIZES } from './chunk-sizes.ts';
import { EXPECT_CASES } from './expect.ts';
import { FIELD_LIMITS } from './field-limits.ts';
import { FIELDS } from './fields.ts';
import { FORGED_FIELDS } from './forged-fields.ts';
import { GOOD_REPLIES } from './good-replies.ts';
import { INTERIM_AND_TRAILERS } from './interim-and-trailers.ts';
import { LIMITS } from './limits.ts';
import { OTHER_PROTOCOLS } from './other-protocols.ts';
import { REQUEST_BODIES } from './request-bodies.ts';
import { REQUEST_HEADS } from './request-heads.ts';
import { RETRIES } from './retries.ts';
import { TARGETS } from './targets.ts';
import { UPGRADES } from './upgrade.ts';

export const ALL_CASES: readonly Case[] = [
  ...REQUEST_HEADS,
  ...REQUEST_BODIES,
  ...CHUNK_SIZES,
  ...BAD_REPLIES,
  ...GOOD_REPLIES,
  ...INTERIM_AND_TRAILERS,
  ...FIELDS,
  ...FORGED_FIELDS,
  ...FIELD_LIMITS,
  ...TARGETS,
  ...OTHER_PROTOCOLS,
  ...EXPECT_CASES,
  ...UPGRADES,
  ...RETRIES,
  ...LIMITS,
];
