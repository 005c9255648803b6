// Finds the balancer in front, if it is one that has a dashboard here: shows where that is, and tells what weights the
// replicas have. Behind another proxy, or asked directly, a replica has no such page to point to.

const found = fetch('/balancer/ring')
  .then((answer) => (answer.ok ? answer.json() : undefined))
  .catch(() => undefined);

/** Resolves with the weight of each replica by its name; with nothing if nobody says. */
export async function weights() {
  const ring = await found;
  return new Map(Object.entries(ring?.weights ?? {}));
}

void found.then((ring) => {
  if (ring === undefined) return;
  for (const link of document.querySelectorAll('.to-dashboard')) {
    link.hidden = false;
    const address = link.querySelector('a.address');
    if (address !== null) address.textContent = new URL(address.getAttribute('href'), location.href).href;
  }
});
