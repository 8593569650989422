// A listener at a customer's, on Microsoft's own library: connects every sender to one host and port.
//
//     node listen.js wss://RELAY/$hc/CONNECTION?sb-hc-action=listen RULE HOST PORT     (RELAY_KEY holds the key)
//
// It prints a line when it listens.
'use strict';

const net = require('node:net');
const relay = require('hyco-ws');

const [address, rule, host, port] = process.argv.slice(2);

const server = relay.createRelayedServer(
  { server: address, token: () => relay.createRelayToken(address, rule, process.env.RELAY_KEY) },
  (sender) => {
    const target = net.connect({ host, port: Number(port) });
    // The sender's bytes may come before its connection counts as open, and the host's before it can send.
    target.pause();
    sender.on('open', () => target.resume());
    sender.on('message', (data) => target.write(data));
    sender.on('close', () => target.end());
    sender.on('error', () => target.destroy());
    target.on('data', (data) => {
      target.pause();
      sender.send(data, { binary: true }, (error) => (error ? target.destroy() : target.resume()));
    });
    // The library cannot close what is not open yet.
    const hangUp = () => sender.close();
    target.on('close', () => (sender.readyState === relay.CONNECTING ? sender.on('open', hangUp) : hangUp()));
    target.on('error', () => target.destroy());
  },
);

server.on('listening', () => console.log('listening'));
server.on('error', (error) => {
  console.error(String(error));
  process.exit(1);
});
