// Plays the agent's voice piece behind piece, and knows how much of it was heard.

import { fromS16 } from "./pcm.js";

/** How far ahead the first piece is put, so that a late one behind it leaves no gap: in seconds. */
export const LEAD_S = 0.08;

export class Player {
  /** @param context An AudioContext, which belongs to the caller. */
  constructor(context) {
    this.context = context;
    this.#clear();
  }

  #sources = new Set();
  #replyId = null;
  #queuedS = 0; // of the reply, so far
  #endsAt = 0; // when what is queued has been played

  play({ replyId, sampleRate, bytes }) {
    if (replyId !== this.#replyId) this.#begin(replyId);
    const floats = fromS16(bytes);
    if (floats.length === 0) return;
    const buffer = this.context.createBuffer(1, floats.length, sampleRate);
    buffer.copyToChannel(floats, 0);
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.context.destination);
    source.onended = () => this.#sources.delete(source);
    const now = this.context.currentTime;
    const startsAt = this.#endsAt > now ? this.#endsAt : now + LEAD_S;
    source.start(startsAt);
    this.#sources.add(source);
    this.#endsAt = startsAt + buffer.duration;
    this.#queuedS += buffer.duration;
  }

  /** Return `{replyId, playedMs}` of the reply that is played, or null. */
  played() {
    if (this.#replyId === null) return null;
    // What the context has handed out is heard later: much later, from a wireless loudspeaker.
    const heardAt = this.context.currentTime - (this.context.outputLatency ?? 0);
    const waitingS = Math.max(0, this.#endsAt - heardAt);
    const playedMs = Math.max(0, Math.floor(1000 * (this.#queuedS - waitingS)));
    return { replyId: this.#replyId, playedMs };
  }

  /** Throw away what waits to be played; return what was played until then. */
  clear() {
    const played = this.played();
    for (const source of this.#sources) source.stop();
    this.#clear();
    return played;
  }

  #begin(replyId) {
    // What is left of the one before is played first, and counted no more.
    this.#replyId = replyId;
    this.#queuedS = 0;
  }

  #clear() {
    this.#sources = new Set();
    this.#replyId = null;
    this.#queuedS = 0;
    this.#endsAt = 0;
  }
}
