import t from 'tap';
import { type PromptFacts, promptOf } from '../../lib/core/json/prompt.ts';

const of = (body: unknown): PromptFacts => promptOf([Buffer.from(JSON.stringify(body))]);

const system = 'You are a helpful assistant.';
const hello = { role: 'user', content: 'Hello' };
const beginning = `5:gpt-528:${system}5:Hello`;

t.test('chat completions, responses and messages of the same beginning have the same', async (t) => {
  const model = 'gpt-5';
  const bodies = {
    'a system message': { model, messages: [{ role: 'system', content: system }, hello] },
    'a developer message': { model, messages: [{ role: 'developer', content: system }, hello] },
    'content in parts': {
      model,
      messages: [
        { content: [{ type: 'text', text: system }], role: 'system' },
        { content: [{ type: 'text', text: 'Hello' }], role: 'user' },
      ],
    },
    'later turns': {
      messages: [
        { role: 'system', content: system },
        hello,
        { role: 'assistant', content: 'Hi' },
        { role: 'user', content: 'More' },
      ],
      model,
    },
    'of Anthropic': { model, system, max_tokens: 10, messages: [hello] },
    'of Anthropic, in blocks': {
      system: [{ type: 'text', text: system, cache_control: { type: 'ephemeral' } }],
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }],
      model,
    },
    'responses, a text': { model, instructions: system, input: 'Hello' },
    'responses, items': {
      model,
      instructions: system,
      input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hello' }] }],
    },
    'an image before the text': {
      model,
      instructions: system,
      input: [
        {
          role: 'user',
          content: [
            { type: 'input_image', image_url: 'data:x' },
            { type: 'input_text', text: 'Hello' },
          ],
        },
      ],
    },
    'an empty message before': { model, system, messages: [{ role: 'user', content: '' }, hello] },
  };
  for (const [name, body] of Object.entries(bodies)) t.same(of(body), { cacheKey: '', user: '', beginning }, name);
});

t.test('completions and embeddings go by their text, or by their tokens', async (t) => {
  t.equal(of({ model: 'm', prompt: 'Once' }).beginning, '1:m0:4:Once');
  t.equal(of({ model: 'm', prompt: ['Once', 'upon'] }).beginning, '1:m0:9:Once upon');
  t.equal(of({ model: 'm', input: ['Once', 'upon'] }).beginning, '1:m0:4:Once');
  t.not(of({ prompt: [1, 23] }).beginning, of({ prompt: [12, 3] }).beginning);
});

t.test('what a client says itself is told apart', async (t) => {
  t.same(of({ prompt_cache_key: 'k', user: 'u', messages: [hello] }), { cacheKey: 'k', user: '', beginning: '' });
  t.match(of({ messages: [hello], user: 'u', prompt_cache_key: 'k' }), { cacheKey: 'k', user: 'u' });
  t.match(of({ messages: [hello], metadata: { other: 1, user_id: 'u' } }), {
    cacheKey: '',
    user: 'u',
    beginning: '0:0:5:Hello',
  });
  t.match(of({ user: 'one', metadata: { user_id: 'other' } }), { user: 'one', beginning: '' });
});

t.test('there is no beginning without a message of the user', async (t) => {
  const many = Array.from({ length: 32 }, () => ({ role: 'system', content: 'x' }));
  const bodies: unknown[] = [
    {},
    [],
    'text',
    5,
    { messages: [] },
    { messages: 'x', model: 5 },
    { model: 'm', system },
    { messages: [{ role: 'assistant', content: 'Hi' }] },
    { messages: [{ role: 'user', content: null }] },
    { messages: [...many, hello] },
  ];
  for (const body of bodies.filter((one) => one !== bodies[5])) t.equal(of(body).beginning, '', JSON.stringify(body));
  t.equal(of({ messages: [...many.slice(1), hello] }).beginning.endsWith('5:Hello'), true);
  t.equal(promptOf([Buffer.from('model=x')]).beginning, '');
  t.equal(promptOf([]).beginning, '');
});

t.test('of each text the first 1,024 bytes count, and a body may be cut behind them', async (t) => {
  const long = 'x'.repeat(1024);
  const whole = of({ model: 'm', system: `${long}1`, messages: [{ role: 'user', content: `${long}1` }] });
  t.same(whole, of({ model: 'm', system: `${long}2`, messages: [{ role: 'user', content: `${long}2` }] }));
  const body = Buffer.from(
    JSON.stringify({ model: 'm', system: long, messages: [{ role: 'user', content: `${long}rest` }] }),
  );
  t.same(promptOf([body.subarray(0, 1500), body.subarray(1500, -5)]), whole);
  t.equal(promptOf([body.subarray(0, -50)]).beginning, '', 'less of the message may go on otherwise');
});
