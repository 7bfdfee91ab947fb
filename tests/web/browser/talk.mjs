// A page without a screen: does what it is told, line by line, and says what happens to it.

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { Connection } = await import(pathToFileURL(`${process.env.MODULE}/connection.js`).href);
const { SERVER_MESSAGES } = await import(pathToFileURL(`${process.env.MODULE}/constants.js`).href);

const [url, token] = process.argv.slice(2);
const connection = new Connection({ url, token });
const tell = (type, detail) => console.log(JSON.stringify({ ...detail, type }));

for (const type of [...SERVER_MESSAGES, "reconnecting", "closed"]) {
  connection.addEventListener(type, ({ detail }) => tell(type, detail));
}
connection.addEventListener("audio", ({ detail }) =>
  tell("audio", { reply_id: detail.replyId, bytes: detail.bytes.byteLength }),
);
connection.open();

for await (const line of createInterface({ input: process.stdin })) {
  const { say, send, end, close } = JSON.parse(line);
  for (const frame of say ?? []) connection.sendAudio(Buffer.from(frame, "base64"));
  if (send) connection.send(send);
  if (end) connection.end().then((message) => tell("ended", message), (error) => tell("failed", { reason: error.message }));
  if (close) connection.close();
}
connection.close();
