// Tests of the parts that need no server; run by test_module.py.

import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const from = (name) => import(pathToFileURL(`${process.env.MODULE}/${name}`).href);

const { Framer, Resampler, fromS16, toS16 } = await from("pcm.js");
const { LEAD_S, Player } = await from("player.js");
const { Connection, delayMs } = await from("connection.js");
const constants = await from("constants.js");

test("a sample survives the way there and back, and what is too loud is cut off", () => {
  const samples = toS16([0, 0.5, -0.5, 1, -1, 7, -7]);
  assert.deepEqual([...samples], [0, 16384, -16384, 32767, -32768, 32767, -32768]);
  const back = fromS16(samples.buffer);
  assert.ok(Math.abs(back[1] - 0.5) < 1e-4);
  assert.equal(back[4], -1);
});

/** Return a tone of *hz* at *rate*, a tenth of a second long, at 16 kHz, pushed in blocks of *size*. */
function resampled(hz, rate, size) {
  const resampler = new Resampler(rate, 16_000);
  const made = [];
  for (let at = 0; at < rate / 10; at += size) {
    const block = new Float32Array(Math.min(size, rate / 10 - at));
    for (let i = 0; i < block.length; i++) block[i] = Math.sin((2 * Math.PI * hz * (at + i)) / rate);
    made.push(...resampler.push(block));
  }
  return made;
}

const loudest = (samples) => Math.max(...samples.map(Math.abs));
const settled = (samples) => samples.slice(100);

test("a stream keeps its length and its shape at another rate, however it is cut", () => {
  for (const rate of [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000]) {
    for (const size of [1, 7, 128, 1_000]) {
      const made = resampled(200, rate, size);
      const missing = 1_600 - made.length; // those that wait for what comes next
      assert.ok(missing >= 0 && missing <= 16, `${rate} ${size} ${missing}`);
      const wrong = made.map((value, i) => value - Math.sin((2 * Math.PI * 200 * i) / 16_000));
      assert.ok(loudest(settled(wrong)) < 0.01, `${rate} ${size} ${loudest(settled(wrong))}`);
    }
  }
});

test("what a voice is made of comes through, and what the rate cannot hold is not folded into it", () => {
  for (const rate of [44_100, 48_000]) {
    for (const hz of [300, 1_000, 3_400, 6_000]) {
      assert.ok(Math.abs(loudest(settled(resampled(hz, rate, 128))) - 1) < 0.05, `${rate} ${hz}`);
    }
    for (const hz of [10_000, 12_000, 15_000, 17_000, 20_000]) {
      const left = loudest(settled(resampled(hz, rate, 128)));
      assert.ok(left < 0.01, `${rate} ${hz} ${left}`);
    }
  }
});

test("frames have one length, and nothing is lost or changed between them", () => {
  const framer = new Framer(320);
  const all = [];
  for (let at = 0; at < 1_000; at += 128) {
    for (const frame of framer.push(Int16Array.from({ length: 128 }, (_, i) => at + i))) all.push(...frame);
  }
  assert.deepEqual(all, [...Array(960).keys()]);
});

test("the audio thread sends frames of 20 ms at the session's rate", async () => {
  const sent = [];
  let Capture;
  globalThis.sampleRate = 48_000;
  globalThis.AudioWorkletProcessor = class {
    port = { postMessage: (frame) => sent.push(frame) };
  };
  globalThis.registerProcessor = (name, kind) => {
    assert.equal(name, "voicesession-capture");
    Capture = kind;
  };
  await from("capture.js");
  const capture = new Capture({ processorOptions: { rate: 16_000 } });
  for (let i = 0; i < 375; i++) assert.ok(capture.process([[new Float32Array(128)]]));
  assert.ok(capture.process([[]]));
  assert.ok(sent.length >= 49 && sent.length <= 50);
  assert.ok(sent.every((frame) => frame.byteLength === 640));
});

class Context {
  currentTime = 0;
  destination = {};
  started = [];
  createBuffer(_channels, length, rate) {
    return { duration: length / rate, copyToChannel() {} };
  }
  createBufferSource() {
    const source = { connect() {}, start: (at) => (source.at = at), stop: () => (source.stopped = true) };
    this.started.push(source);
    return source;
  }
}

const second = (replyId) => ({ replyId, sampleRate: 16_000, bytes: new ArrayBuffer(32_000) });

const startsOf = (context) => context.started.map(({ at }) => at);

test("pieces are played one behind the other, and what was played is known", () => {
  const context = new Context();
  const player = new Player(context);
  assert.equal(player.played(), null);
  player.play(second(1));
  player.play(second(1));
  assert.deepEqual(startsOf(context), [LEAD_S, LEAD_S + 1]);
  assert.deepEqual(player.played(), { replyId: 1, playedMs: 0 });
  context.currentTime = LEAD_S + 1.5001;
  assert.deepEqual(player.played(), { replyId: 1, playedMs: 1500 });
  context.currentTime = 9;
  assert.deepEqual(player.played(), { replyId: 1, playedMs: 2000 });
  player.play(second(2));
  assert.equal(startsOf(context)[2], 9 + LEAD_S);
  assert.deepEqual(player.played(), { replyId: 2, playedMs: 0 });
});

test("pieces that come a little late leave no gap", () => {
  const context = new Context();
  const player = new Player(context);
  const piece = { replyId: 1, sampleRate: 16_000, bytes: new ArrayBuffer(640) };
  for (let i = 0; i < 50; i++) {
    context.currentTime = i * 0.02 + (i % 7) * 0.01;
    player.play(piece);
  }
  const gaps = startsOf(context).map((at, i, all) => (i === 0 ? 0 : at - all[i - 1] - 0.02));
  assert.ok(loudest(gaps) < 1e-9, `${gaps}`);
});

test("what is played is counted, and not the time in which nothing came", () => {
  const context = new Context();
  const player = new Player(context);
  const counted = [];
  for (const { at, comes } of [
    { at: 0, comes: true },
    { at: LEAD_S + 0.4001, comes: false },
    { at: 3, comes: false },
    { at: 3, comes: true },
    { at: 3 + LEAD_S + 0.4001, comes: false },
    { at: 9, comes: false },
  ]) {
    context.currentTime = at;
    if (comes) player.play(second(1));
    counted.push(player.played().playedMs);
  }
  assert.deepEqual(counted, [0, 400, 1000, 1000, 1400, 2000]);
});

test("an estimate of the latency that grows does not take back what was told", () => {
  const context = new Context();
  context.outputLatency = 0;
  const player = new Player(context);
  player.play(second(1));
  context.currentTime = LEAD_S + 0.5001;
  assert.equal(player.played().playedMs, 500);
  context.outputLatency = 0.1;
  assert.equal(player.played().playedMs, 500);
});

test("what the loudspeaker still holds has not been heard", () => {
  const context = new Context();
  context.outputLatency = 0.25;
  const player = new Player(context);
  player.play(second(1));
  context.currentTime = LEAD_S + 0.5001;
  assert.deepEqual(player.played(), { replyId: 1, playedMs: 250 });
  context.currentTime = LEAD_S + 1.2501;
  assert.deepEqual(player.played(), { replyId: 1, playedMs: 1000 });
});

test("what waits is thrown away, and what was played until then is told", () => {
  const context = new Context();
  const player = new Player(context);
  player.play(second(1));
  player.play(second(1));
  context.currentTime = LEAD_S + 0.2501;
  assert.deepEqual(player.clear(), { replyId: 1, playedMs: 250 });
  assert.ok(context.started.every(({ stopped }) => stopped));
  assert.equal(player.played(), null);
});

test("waits grow, are bounded, and differ from client to client", () => {
  assert.equal(delayMs(0, 0), constants.FIRST_DELAY_MS);
  assert.equal(delayMs(99, 0), constants.LONGEST_DELAY_MS);
  assert.ok(delayMs(3, 1) < delayMs(3, 0));
});

class Line {
  static made = [];
  readyState = 1;
  bufferedAmount = 0;
  sent = [];
  constructor() {
    Line.made.push(this);
  }
  send(data) {
    this.sent.push(data);
  }
  close() {}
  say(message) {
    this.onmessage({ data: JSON.stringify(message) });
  }
}

/** Return a connection whose session has begun, and its line. */
function begun() {
  globalThis.WebSocket = Line;
  const connection = new Connection({ url: "ws://localhost/" });
  connection.open();
  const line = Line.made.at(-1);
  line.say({ type: "session.begin", session_id: "s", resume_token: "t" });
  return { connection, line };
}

test("the end is told also to who asks after it", async () => {
  const { connection, line } = begun();
  line.say({ type: "session.end", seq: 7, status: "completed" });
  assert.equal((await connection.end()).status, "completed");
});

test("whoever asks for the end when there is no line any more is told so", async () => {
  const lost = begun();
  lost.line.onclose({ code: 4409, reason: "taken_over" });
  await assert.rejects(lost.connection.end(), /taken_over/);
  const left = begun();
  left.connection.close();
  await assert.rejects(left.connection.end(), /left/);
});

test("a line that is lost before the session begins is made again with what came with the ticket", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  globalThis.WebSocket = Line;
  const url = "ws://localhost/";
  const connection = new Connection({ url, sessionId: "s", resumeToken: "t" });
  connection.open();
  const first = Line.made.at(-1);
  first.onopen();
  assert.deepEqual(first.sent, []); // nobody comes back who was never there
  assert.ok(!connection.sendAudio(frame)); // nothing has begun
  first.onclose({ code: 1006, reason: "" });
  t.mock.timers.tick(60_000);
  const second = Line.made.at(-1);
  second.onopen();
  const attach = { type: "attach", session_id: "s", resume_token: "t", last_seq: 0 };
  assert.deepEqual(second.sent.map(JSON.parse), [attach]);
  const stranger = new Connection({ url });
  stranger.open();
  const closed = [];
  stranger.addEventListener("closed", ({ detail }) => closed.push(detail));
  Line.made.at(-1).onclose({ code: 1006, reason: "" });
  assert.equal(closed.length, 1);
});

const frame = new Int16Array(320).buffer;

test("a line that takes nothing does not pile up what was said meanwhile", () => {
  const { connection, line } = begun();
  assert.ok(connection.sendAudio(frame));
  line.bufferedAmount = 300_000;
  assert.ok(!connection.sendAudio(frame));
  assert.ok(connection.send({ type: "pause" }));
  line.bufferedAmount = 200_000;
  assert.ok(connection.sendAudio(frame));
});

test("a line that is stuck is given up, and the session gone on with over another", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const { connection, line } = begun();
  const lost = [];
  connection.addEventListener("reconnecting", ({ detail }) => lost.push(detail));
  line.bufferedAmount = 300_000;
  for (const at of [0, 4_000, 5_000]) {
    now = at;
    assert.ok(!connection.sendAudio(frame));
    assert.deepEqual(lost, []);
  }
  now = 5_001;
  assert.ok(!connection.sendAudio(frame));
  assert.deepEqual(lost, [{ code: 1006, reason: "stuck" }]);
  assert.ok(!connection.sendAudio(frame), "there is no line now");
  line.onclose({ code: 1006, reason: "" });
  assert.equal(lost.length, 1, "it was given up already");
  t.mock.timers.tick(constants.FIRST_DELAY_MS);
  const next = Line.made.at(-1);
  assert.notEqual(next, line);
  next.onopen();
  assert.equal(JSON.parse(next.sent[0]).type, "attach");
});
