// A call from a page: the microphone goes out, the agent's voice comes in.
//
//   const call = new VoiceCall({ url });
//   call.addEventListener("transcript.final", ({ detail }) => show(detail.utterance.text));
//   await call.start();           // in a click: browsers want one before they play or record
//   ...
//   const { totals } = await call.end();

import { SAMPLE_RATE } from "./constants.js";
import { Connection } from "./connection.js";
import { Player } from "./player.js";

export { Connection, Player };

const REPORT_MS = 250;

/** A Connection with a microphone and a loudspeaker. Its events are those of Connection. */
export class VoiceCall extends Connection {
  /** @param sampleRate Of the session, as it was created. */
  constructor({ sampleRate = SAMPLE_RATE, ...rest }) {
    super(rest);
    this.sampleRate = sampleRate;
  }

  #context = null;
  #microphone = null;
  #player = null;
  #reporting = null;
  #reported = null;

  /** Ask for the microphone and connect. Rejects, and leaves nothing open, if that cannot be. */
  async start() {
    if (this.#context !== null) throw new Error("a call is started once");
    this.#context = new AudioContext(); // first: browsers want it close to the click
    try {
      const wanted = { channelCount: 1, echoCancellation: true, noiseSuppression: true };
      this.#microphone = await navigator.mediaDevices.getUserMedia({ audio: wanted });
      if (this.isOver) throw new Error("the call was closed before it began");
      await this.#context.audioWorklet.addModule(new URL("./capture.js", import.meta.url));
      await this.#context.resume(); // Safari lets those who record play, but not before they do
      this.#listen();
      this.#speak();
      this.open();
    } catch (error) {
      this.close();
      throw error;
    }
    this.reportPlayout();
  }

  async end() {
    try {
      return await super.end();
    } finally {
      this.#silence();
    }
  }

  close() {
    super.close();
    this.#silence();
  }

  #listen() {
    const capture = new AudioWorkletNode(this.#context, "voicesession-capture", {
      numberOfOutputs: 0,
      processorOptions: { rate: this.sampleRate },
    });
    capture.port.onmessage = ({ data }) => this.sendAudio(data);
    this.#context.createMediaStreamSource(this.#microphone).connect(capture);
  }

  #speak() {
    this.#player = new Player(this.#context);
    this.addEventListener("audio", ({ detail }) => this.#player.play(detail));
    this.addEventListener("reply.clear", () => this.#report(this.#player.clear()));
    this.addEventListener("session.end", () => this.#silence());
    this.addEventListener("closed", () => this.#silence());
    this.addEventListener("reconnecting", () => this.#player.clear());
    this.#reporting = setInterval(() => this.#report(this.#player.played()), REPORT_MS);
  }

  #report(played) {
    if (played === null) return;
    const { replyId, playedMs } = played;
    const said = `${replyId} ${playedMs}`;
    if (said === this.#reported) return;
    this.#reported = said;
    this.send({ type: "playout", reply_id: replyId, played_ms: playedMs });
  }

  #silence() {
    clearInterval(this.#reporting);
    this.#player?.clear();
    for (const track of this.#microphone?.getTracks() ?? []) track.stop();
    this.#microphone = null;
    if (this.#context?.state !== "closed") this.#context?.close();
  }
}
