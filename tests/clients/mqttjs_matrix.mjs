// What a gateway built on MQTT.js does to a broker. Prints one JSON object: step -> what was seen.
//
// usage: node mqttjs_matrix.mjs HOST PORT VERSION(4|5) GATEWAY WELL   (with the package `mqtt` on NODE_PATH)
import { createRequire } from "node:module";

const require = createRequire(process.env.GWBANK_TEST_CLIENTS + "/node/");
const mqtt = require("mqtt");
const [host, port, version, gateway, well] = process.argv.slice(2);
const protocolVersion = Number(version);
const patience = 20_000;
const seen = {};

function connect(name, options = {}) {
  const properties = protocolVersion === 5 ? { sessionExpiryInterval: options.clean === false ? 3600 : 0 } : undefined;
  const client = mqtt.connect(`mqtt://${host}:${port}`, {
    clientId: `mqttjs-${version}-${name}`, protocolVersion, properties, reconnectPeriod: 0, clean: true, ...options,
  });
  client.inbox = [];
  client.on("message", (topic, payload, packet) => client.inbox.push({ topic, text: payload.toString(), packet }));
  return new Promise((resolve, reject) => {
    client.once("connect", () => resolve(client));
    client.once("error", reject);
  });
}

function received(client, text) {
  const found = () => client.inbox.find((m) => m.text === text);
  return new Promise((resolve) => {
    const give = setTimeout(() => resolve(undefined), patience);
    const look = () => {
      if (!found()) return;
      clearTimeout(give);
      client.off("message", look);
      resolve(found());
    };
    client.on("message", look);
    look();
  });
}

const reading = (minute) => JSON.stringify({
  well, time: `2026-03-0${version}T00:0${minute}:00+07:00`, depth_to_water: 1 + minute / 100,
});

const publisher = await connect("publisher");
for (const qos of [0, 1, 2]) {
  await publisher.publishAsync(`gwbank/v1/${gateway}/readings`, reading(qos), { qos });
  seen[`published_qos${qos}`] = true;
}

await publisher.publishAsync(`site/${gateway}/note`, "retained note", { qos: 1, retain: true });
const reader = await connect("reader");
await reader.subscribeAsync(`site/${gateway}/note`, { qos: 1 });
seen.retained = Boolean((await received(reader, "retained note"))?.packet.retain);

await reader.subscribeAsync(`site/${gateway}/will`, { qos: 1 });
const doomed = await connect("doomed", { will: { topic: `site/${gateway}/will`, payload: "gone", qos: 1 } });
doomed.stream.destroy(); // the network goes, no DISCONNECT
seen.will = Boolean(await received(reader, "gone"));

let sleeper = await connect("sleeper", { clean: false });
await sleeper.subscribeAsync(`site/${gateway}/queue`, { qos: 1 });
await sleeper.endAsync();
await publisher.publishAsync(`site/${gateway}/queue`, "while you slept", { qos: 1 });
sleeper = await connect("sleeper", { clean: false });
seen.session_resumed = Boolean(await received(sleeper, "while you slept"));

for (const client of [publisher, reader, sleeper]) await client.endAsync(true);
console.log(JSON.stringify(seen));
