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

const LOBES = 8; // of the sinc, on either side of a sample

/**
 * Changes the rate of a stream, block by block: each sample is a sum of those around it, weighted
 * by a sinc under a Hann window, which lets nothing through that the new rate cannot hold.
 */
export class Resampler {
  constructor(from, to) {
    const divisor = greatestDivisor(from, to);
    this.from = from / divisor;
    this.to = to / divisor;
    this.cutoff = Math.min(1, (0.9 * to) / from);
    this.reach = Math.ceil(LOBES / this.cutoff);
    this.past = new Float32Array(this.reach - 1); // silence, before the first sample
    this.at = (this.reach - 1) * this.to; // of the next sample, in 1/to of those in `past`
    this.weights = new Map();
  }

  /** Return what *block* makes; what needs the next one to be known comes with that. */
  push(block) {
    if (this.from === this.to) return block;
    const known = new Float32Array(this.past.length + block.length);
    known.set(this.past);
    known.set(block, this.past.length);
    const made = [];
    let first = this.#firstNeeded();
    while (first + 2 * this.reach <= known.length) {
      made.push(sumOf(known, first, this.#weightsAt(this.at % this.to)));
      this.at += this.from;
      first = this.#firstNeeded();
    }
    const done = Math.min(first, known.length);
    this.past = known.slice(done);
    this.at -= done * this.to;
    return Float32Array.from(made);
  }

  #firstNeeded() {
    return Math.floor(this.at / this.to) - this.reach + 1;
  }

  /** Return the weights for a sample that lies *phase* behind one of the stream's own. */
  #weightsAt(phase) {
    let weights = this.weights.get(phase);
    if (weights === undefined) {
      weights = Float32Array.from({ length: 2 * this.reach }, (_, i) =>
        this.#weight(i - this.reach + 1 - phase / this.to),
      );
      const whole = weights.reduce((sum, weight) => sum + weight);
      weights = weights.map((weight) => weight / whole);
      this.weights.set(phase, weights);
    }
    return weights;
  }

  #weight(distance) {
    const angle = Math.PI * this.cutoff * distance;
    const window = Math.cos((Math.PI * distance) / (2 * this.reach)) ** 2;
    return angle === 0 ? 1 : (window * Math.sin(angle)) / angle;
  }
}

function sumOf(samples, first, weights) {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) sum += samples[first + i] * weights[i];
  return sum;
}

function greatestDivisor(a, b) {
  return b === 0 ? a : greatestDivisor(b, a % b);
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
