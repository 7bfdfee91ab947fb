// Plays the agent's voice piece behind piece, and knows how much of it was heard.

import { fromS16 } from "./pcm.js";

/** How far ahead the first piece is put, so that a late one behind it leaves no gap: in seconds. */
export const LEAD_S = 0.08;

export class Player {
  /** @param context An AudioContext, which belongs to the caller. */
  constructor(context) {
    this.context = context;
  }

  #waiting = []; // to be heard to the end: {source, replyId, startsAt, durationS}
  #endsAt = 0; // when all of it has been played
  #heardAt = 0; // the moment that is heard now
  #replyId = null;
  #heardS = 0; // of the reply, in pieces that were heard to the end

  play({ replyId, sampleRate, bytes }) {
    const floats = fromS16(bytes);
    if (floats.length === 0) return;
    this.#settle();
    if (replyId !== this.#replyId) this.#begin(replyId);
    const buffer = this.context.createBuffer(1, floats.length, sampleRate);
    buffer.copyToChannel(floats, 0);
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.context.destination);
    const now = this.context.currentTime;
    const startsAt = this.#endsAt > now ? this.#endsAt : now + LEAD_S;
    source.start(startsAt);
    this.#endsAt = startsAt + buffer.duration;
    this.#waiting.push({ source, replyId, startsAt, durationS: buffer.duration });
  }

  /** Return `{replyId, playedMs}` of the reply that is played, or null. */
  played() {
    if (this.#replyId === null) return null;
    this.#settle();
    const [first] = this.#waiting;
    const begunS = first?.replyId === this.#replyId ? this.#heardAt - first.startsAt : 0;
    const playedMs = Math.floor(1000 * (this.#heardS + Math.max(0, begunS)));
    return { replyId: this.#replyId, playedMs };
  }

  /** Throw away what waits to be played; return what was played until then. */
  clear() {
    const played = this.played();
    for (const { source } of this.#waiting) source.stop();
    this.#waiting = [];
    this.#endsAt = 0;
    this.#begin(null);
    return played;
  }

  #begin(replyId) {
    // What is left of the one before is played first, and counted no more.
    this.#replyId = replyId;
    this.#heardS = 0;
  }

  /** Count what has been heard to its end by now. */
  #settle() {
    // What the context has handed out is heard later: much later, from a wireless loudspeaker.
    const heardAt = this.context.currentTime - (this.context.outputLatency ?? 0);
    this.#heardAt = Math.max(this.#heardAt, heardAt); // the latency is an estimate, and changes
    while (this.#waiting.length > 0) {
      const { replyId, startsAt, durationS } = this.#waiting[0];
      if (startsAt + durationS > this.#heardAt) return;
      if (replyId === this.#replyId) this.#heardS += durationS;
      this.#waiting.shift();
    }
  }
}
