// The voting page: plain HTML with the element ids that existing clients look for.

import { OPTIONS } from './votes.ts';

export function page(id: string): string {
  const rows = OPTIONS.map(
    (option) =>
      `<li><button type="button" value="${option}">${option}</button> <output id="${option}-votes">0</output></li>`,
  ).join('\n      ');
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <title>Which tool do you like best?</title>
  </head>
  <body>
    <h1>Which tool do you like best?</h1>
    <ul id="result-bars">
      ${rows}
    </ul>
    <p id="status" role="status">Served by ${id}</p>
    <script type="module">
      const show = (votes) => {
        for (const [option, count] of Object.entries(votes)) document.getElementById(option + '-votes').value = count;
      };
      const ask = async (path, options) => {
        const answer = await (await fetch(path, options)).json();
        if (answer.status === 'failure') document.getElementById('status').textContent = answer.message;
        else show(answer.votes ?? answer);
      };
      for (const button of document.querySelectorAll('button')) {
        button.onclick = () => ask('/api/vote', { method: 'POST', body: JSON.stringify({ option: button.value }) });
      }
      ask('/api/votes');
    </script>
  </body>
</html>
`;
}
