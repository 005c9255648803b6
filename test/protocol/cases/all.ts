// Every case there is.

import type { Case } from '../case.ts';
import { BAD_REPLIES } from './bad-replies.ts';
import { GOOD_REPLIES } from './good-replies.ts';
import { INTERIM_AND_TRAILERS } from './interim-and-trailers.ts';
import { REQUEST_BODIES } from './request-bodies.ts';
import { REQUEST_HEADS } from './request-heads.ts';

export const ALL_CASES: readonly Case[] = [
  ...REQUEST_HEADS,
  ...REQUEST_BODIES,
  ...BAD_REPLIES,
  ...GOOD_REPLIES,
  ...INTERIM_AND_TRAILERS,
];
