// Samples: from the microphone's floats to s16le at the session's rate, and back.

/** Return *floats* (-1 to 1) as 16-bit samples; what is louder is cut off. */
export function toS16(floats) {
  const samples = new Int16Array(floats.length);
  for (let i = 0; i < floats.length; i++) {
    const level = Math.max(-1, Math.min(1, floats[i]));
    samples[i] = Math.round(level < 0 ? level * 0x8000 : level * 0x7fff);
  }
  return samples;
}

/** Return 16-bit samples, little endian, as floats. */
export function fromS16(bytes) {
  const view = new DataView(bytes);
  const floats = new Float32Array(bytes.byteLength >> 1);
  for (let i = 0; i < floats.length; i++) floats[i] = view.getInt16(2 * i, true) / 0x8000;
  return floats;
}

/** Changes the rate of a stream, block by block, by straight lines between samples. */
export class Resampler {
  constructor(from, to) {
    this.step = from / to;
    this.position = 1; // of the next sample, in samples behind `last`
    this.last = 0;
  }

  push(block) {
    if (this.step === 1) return block;
    const made = [];
    while (this.position <= block.length) {
      const index = Math.floor(this.position);
      const share = this.position - index;
      const here = index === 0 ? this.last : block[index - 1];
      const next = share === 0 ? here : block[index];
      if (next === undefined) break;
      made.push(here + (next - here) * share);
      this.position += this.step;
    }
    this.position -= block.length;
    this.last = block[block.length - 1] ?? this.last;
    return Float32Array.from(made);
  }
}

/** Collects samples into frames of one length. */
export class Framer {
  constructor(length) {
    this.frame = new Int16Array(length);
    this.filled = 0;
  }

  /** Return the frames that are full now. */
  push(samples) {
    const frames = [];
    for (const sample of samples) {
      this.frame[this.filled++] = sample;
      if (this.filled === this.frame.length) {
        frames.push(this.frame);
        this.frame = new Int16Array(this.frame.length);
        this.filled = 0;
      }
    }
    return frames;
  }
}
