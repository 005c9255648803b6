// The simplest possible proxy: it copies bytes and reads none of them. It gets wrong whatever a proxy has to look at,
// to show that cases can fail.

import net from 'node:net';

const [port, ...replicaPorts] = process.argv.slice(2).map(Number);
let turn = 0;
net
  .createServer((client) => {
    const replica = net.connect({ port: replicaPorts[turn++ % replicaPorts.length] as number, host: '127.0.0.1' });
    client.pipe(replica);
    replica.pipe(client);
    client.on('error', () => replica.destroy());
    replica.on('error', () => client.destroy());
  })
  .listen(port, '127.0.0.1');
