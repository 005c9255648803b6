// Asks the balancer for changes. If the balancer wants its admin token, the page asks for that and keeps it until the
// page is left or the balancer refuses it. It does so only if no other page has the same origin: on the public port,
// scripts of the service behind could read what is typed.

import { byId, setText } from './document.js';

// What a header field can hold, without spaces.
const VISIBLE_ASCII = /^[!-~]+$/;

/**
 * Makes the function that sends requests to the balancer.
 * @param {() => boolean} mayTakeToken
 */
export function createAsker(mayTakeToken) {
  const askForToken = createTokenForm();
  let token = '';

  /**
   * Resolves with the message of the answer, or with the answer if it has none. Throws the reason if the balancer
   * refuses, with the status as its cause.
   * @param {string} method
   * @param {string} path
   * @param {unknown} body
   * @returns {Promise<unknown>}
   */
  return async function ask(method, path, body) {
    const headers = {
      'Content-Type': 'application/json',
      ...(token === '' ? {} : { Authorization: `Bearer ${token}` }),
    };
    const { status, message } = await exchange(path, { method, headers, body: JSON.stringify(body) });
    if (status === 401 && mayTakeToken()) {
      const given = await askForToken(token === '' ? '' : 'That was not the token.');
      token = given ?? '';
      if (given !== undefined) return ask(method, path, body);
    }
    if (status === 200) return message;
    throw new Error(plainly(message), { cause: status });
  };
}

/**
 * What the balancer refuses with, in the words of the page: programs are told which field of a body is wrong.
 * @param {unknown} message
 */
export const plainly = (message) =>
  String(message)
    .replace(/^<Error> /, '')
    .replace(/^hostnames\[\d+\] /, 'The hostname ')
    .replace(/^(key|requestId) must/, 'The key must')
    .replace(/^n must/, 'The number of replicas must');

/**
 * @param {string} path
 * @param {RequestInit} request
 * @returns {Promise<{ status: number, message: unknown }>}
 */
async function exchange(path, request) {
  try {
    const response = await fetch(path, request);
    const answer = await response.json();
    return { status: response.status, message: answer.message ?? answer };
  } catch (error) {
    throw new Error('The balancer did not answer.', { cause: error });
  }
}

/**
 * @returns {(problem: string) => Promise<string | undefined>} resolves with what was given; `undefined` if nothing was
 */
function createTokenForm() {
  const form = byId('token-form', HTMLFormElement);
  const field = byId('token', HTMLInputElement);
  const showProblem = (/** @type {string} */ problem) => {
    setText('token-problem', problem);
    field.setAttribute('aria-invalid', String(problem !== ''));
    field.focus();
  };
  return (problem) => {
    form.hidden = false;
    field.value = '';
    showProblem(problem);
    return new Promise((resolve) => {
      const finish = (/** @type {string | undefined} */ given) => {
        form.hidden = true;
        field.value = '';
        resolve(given);
      };
      form.onsubmit = (event) => {
        event.preventDefault();
        const given = field.value.trim();
        if (VISIBLE_ASCII.test(given)) finish(given);
        else showProblem('A token is letters, digits and signs of ASCII, without spaces.');
      };
      byId('token-cancel', HTMLButtonElement).onclick = () => finish(undefined);
      form.onkeydown = (event) => {
        if (event.key !== 'Escape') return;
        event.preventDefault();
        finish(undefined);
      };
    });
  };
}
