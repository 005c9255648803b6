// How the picture is shown: its pace, and whether it fills the screen for a room to see.

import { byId } from './document.js';

/** @type {Record<string, number>} */
const PACES = { live: 1, slow: 0.12, paused: 0 };

/** @param {{ setSpeed: (speed: number) => void }} sparks */
export function createPresentation(sparks) {
  const buttons = [...byId('pace', HTMLElement).querySelectorAll('button')];
  const toggle = byId('present', HTMLButtonElement);
  for (const button of buttons) {
    button.addEventListener('click', () => {
      sparks.setSpeed(PACES[button.value] ?? 1);
      for (const one of buttons) one.setAttribute('aria-pressed', String(one === button));
    });
  }

  // The address says it too, so that a screen in a hall can be opened that way.
  const show = () => {
    const presents = location.hash === '#present';
    document.body.classList.toggle('presents', presents);
    toggle.setAttribute('aria-pressed', String(presents));
    toggle.textContent = presents ? 'Leave' : 'Present';
  };
  const set = (/** @type {boolean} */ presents) => {
    history.replaceState(null, '', presents ? '#present' : location.pathname + location.search);
    show();
    // Where the whole screen is refused, the window will do.
    if (presents) document.documentElement.requestFullscreen?.().catch(() => undefined);
    else if (document.fullscreenElement !== null) document.exitFullscreen().catch(() => undefined);
  };
  toggle.addEventListener('click', () => set(!document.body.classList.contains('presents')));
  addEventListener('hashchange', show);
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !event.defaultPrevented && document.body.classList.contains('presents')) set(false);
  });
  // A browser takes Escape for itself while it fills the screen.
  document.addEventListener('fullscreenchange', () => {
    if (document.fullscreenElement === null && document.body.classList.contains('presents')) set(false);
  });
  show();
}
