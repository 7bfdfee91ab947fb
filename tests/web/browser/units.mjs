// Tests of the parts that need no server; run by test_module.py.

import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const from = (name) => import(pathToFileURL(`${process.env.MODULE}/${name}`).href);

const { Framer, Resampler, fromS16, toS16 } = await from("pcm.js");
const { Player } = await from("player.js");
const { delayMs } = await from("connection.js");
const constants = await from("constants.js");

test("a sample survives the way there and back, and what is too loud is cut off", () => {
  const samples = toS16([0, 0.5, -0.5, 1, -1, 7, -7]);
  assert.deepEqual([...samples], [0, 16384, -16384, 32767, -32768, 32767, -32768]);
  const back = fromS16(samples.buffer);
  assert.ok(Math.abs(back[1] - 0.5) < 1e-4);
  assert.equal(back[4], -1);
});

test("a stream keeps its length and its shape at another rate, however it is cut", () => {
  for (const rate of [8_000, 16_000, 44_100, 48_000]) {
    for (const size of [1, 7, 128, 1_000]) {
      const resampler = new Resampler(rate, 16_000);
      const made = [];
      for (let at = 0; at < rate / 10; at += size) {
        const block = new Float32Array(Math.min(size, rate / 10 - at));
        for (let i = 0; i < block.length; i++) block[i] = Math.sin((2 * Math.PI * 200 * (at + i)) / rate);
        made.push(...resampler.push(block));
      }
      assert.ok(Math.abs(made.length - 1_600) <= 2, `${rate} ${size} ${made.length}`);
      const wrong = made.map((value, i) => Math.abs(value - Math.sin((2 * Math.PI * 200 * i) / 16_000)));
      assert.ok(Math.max(...wrong) < 0.2, `${rate} ${size} ${Math.max(...wrong)}`);
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

test("pieces are played one behind the other, and what was played is known", () => {
  const context = new Context();
  const player = new Player(context);
  assert.equal(player.played(), null);
  player.play(second(1));
  player.play(second(1));
  assert.deepEqual(context.started.map(({ at }) => at), [0, 1]);
  context.currentTime = 1.5;
  assert.deepEqual(player.played(), { replyId: 1, playedMs: 1500 });
  context.currentTime = 9;
  assert.deepEqual(player.played(), { replyId: 1, playedMs: 2000 });
  player.play(second(2));
  assert.equal(context.started[2].at, 9);
  assert.deepEqual(player.played(), { replyId: 2, playedMs: 0 });
});

test("what waits is thrown away, and what was played until then is told", () => {
  const context = new Context();
  const player = new Player(context);
  player.play(second(1));
  player.play(second(1));
  context.currentTime = 0.25;
  assert.deepEqual(player.clear(), { replyId: 1, playedMs: 250 });
  assert.ok(context.started.every(({ stopped }) => stopped));
  assert.equal(player.played(), null);
});

test("waits grow, are bounded, and differ from client to client", () => {
  assert.equal(delayMs(0, 0), constants.FIRST_DELAY_MS);
  assert.equal(delayMs(99, 0), constants.LONGEST_DELAY_MS);
  assert.ok(delayMs(3, 1) < delayMs(3, 0));
});
