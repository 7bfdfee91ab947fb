// Runs in the audio thread: the microphone in frames of 20 ms, s16le, mono.

import { Framer, Resampler, toS16 } from "./pcm.js";

class Capture extends AudioWorkletProcessor {
  constructor({ processorOptions: { rate } }) {
    super();
    this.resampler = new Resampler(sampleRate, rate);
    this.framer = new Framer(rate / 50);
  }

  process([[channel]]) {
    if (channel) {
      for (const frame of this.framer.push(toS16(this.resampler.push(channel)))) {
        this.port.postMessage(frame.buffer, [frame.buffer]);
      }
    }
    return true;
  }
}

registerProcessor("voicesession-capture", Capture);
