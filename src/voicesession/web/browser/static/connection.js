// One session over however many WebSockets it takes. No audio is made or played here.

import {
  FIRST_DELAY_MS,
  JITTER,
  LONGEST_DELAY_MS,
  MAY_COME_BACK,
  RETRIES,
  SERVER_MESSAGES,
  SUBPROTOCOL,
} from "./constants.js";

const OPEN = 1;
const ABNORMAL = 1006;
const MOST_WAITING_BYTES = 256 * 1024; // of audio: 8 s of it, as sessions are by default
const STUCK_MS = 5_000;

/** Return the wait before *retry*, the first of which is 0, in milliseconds. */
export function delayMs(retry, draw) {
  const full = Math.min(FIRST_DELAY_MS * 2 ** retry, LONGEST_DELAY_MS);
  return full * (1 - JITTER * draw);
}

/**
 * Fires every message of the server as an event of its type, with the message as its `detail`,
 * and the agent's voice as `audio`: `{replyId, sampleRate, bytes}`. A message with a `seq` comes
 * once. `reconnecting` says that the line is lost, `closed` that there will be no other one:
 * `{code, reason}`.
 */
export class Connection extends EventTarget {
  /**
   * @param url Of the session's WebSocket, with a ticket in it or not.
   * @param token Says who calls, where the URL has no ticket. It goes into the handshake.
   * @param sessionId Of the session, beside its resumeToken: what came with the ticket. With both,
   *   also a line that is lost before the session has begun is made again.
   */
  constructor({ url, token, sessionId = null, resumeToken = null }) {
    super();
    this.url = url;
    this.lastSeq = 0;
    this.socket = null;
    this.isOver = false;
    this.#sessionId = sessionId;
    this.#resumeToken = resumeToken;
    this.#protocols = token ? [SUBPROTOCOL, `bearer.${token}`] : [SUBPROTOCOL];
    this.#ended.promise.catch(() => {}); // told to whoever asks for the end, and to nobody else
  }

  #protocols;
  #sessionId;
  #resumeToken;
  #isFirstLine = true;
  #hasBegun = false;
  #reply = null;
  #failures = 0;
  #wantsEnd = false;
  #wantsPlayout = false;
  #timer = null;
  #fullSince = null;
  #ended = settling();

  open() {
    const socket = new WebSocket(this.url, this.#protocols);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#attach(socket);
    socket.onmessage = ({ data }) => socket === this.socket && this.#take(data);
    socket.onclose = ({ code, reason }) => socket === this.socket && this.#lost(code, reason);
    this.socket = socket;
    this.#reply = null;
  }

  /** Send a message; one that cannot be sent now is dropped, and false comes back. */
  send(message) {
    return this.#write(JSON.stringify(message));
  }

  /**
   * Send a frame of the caller's audio; while the line is broken, or has more to send than it
   * takes, it is dropped, and false comes back. A line that is stuck is given up for another one.
   */
  sendAudio(frame) {
    if (!this.#hasBegun) return false;
    if (this.socket === null || this.socket.bufferedAmount <= MOST_WAITING_BYTES) {
      this.#fullSince = null;
      return this.#write(frame);
    }
    this.#fullSince ??= performance.now();
    if (performance.now() - this.#fullSince > STUCK_MS) this.#abandon();
    return false;
  }

  /** Say that playout is reported, on this line and those to come. */
  reportPlayout() {
    this.#wantsPlayout = true;
    this.send({ type: "config", playout: true });
  }

  /** Resolve with `session.end`, over whichever line; reject if there is no line any more. */
  end() {
    this.#wantsEnd = true;
    this.send({ type: "end" });
    return this.#ended.promise;
  }

  /** Leave without ending: the session waits for its client, for its grace time. */
  close() {
    this.isOver = true;
    clearTimeout(this.#timer);
    this.socket?.close(1000);
    this.#ended.reject(new Error("the session was left, not ended"));
  }

  #write(data) {
    if (this.socket?.readyState !== OPEN) return false;
    this.socket.send(data);
    return true;
  }

  #attach(socket) {
    if (this.#isFirstLine) return;
    const attach = {
      type: "attach",
      session_id: this.#sessionId,
      resume_token: this.#resumeToken,
      last_seq: this.lastSeq,
    };
    socket.send(JSON.stringify(attach));
  }

  #take(data) {
    if (typeof data !== "string") {
      if (this.#reply) this.#fire("audio", { ...this.#reply, bytes: data });
      return;
    }
    const message = JSON.parse(data);
    if (!SERVER_MESSAGES.includes(message.type)) return; // of a newer server
    if (message.type === "session.begin") this.#begun(message);
    else this.#failures = 0;
    if (message.type === "reply.begin") {
      this.#reply = { replyId: message.reply_id, sampleRate: message.sample_rate };
    } else if (message.type === "reply.end") this.#reply = null;
    else if (message.type === "session.end") this.#over(message);
    else if (message.seq !== undefined && message.seq <= this.lastSeq) return;
    if (message.seq !== undefined) this.lastSeq = Math.max(this.lastSeq, message.seq);
    this.#fire(message.type, message);
    if (message.seq !== undefined) this.send({ type: "ack", seq: message.seq });
  }

  #begun({ session_id: sessionId, resume_token: resumeToken }) {
    this.#sessionId = sessionId;
    this.#resumeToken = resumeToken;
    this.#hasBegun = true;
    if (this.#wantsPlayout) this.send({ type: "config", playout: true });
    if (this.#wantsEnd) this.send({ type: "end" });
  }

  /** Take the line for lost: its other end may be gone, and nobody there to say so. */
  #abandon() {
    const stuck = this.socket;
    this.socket = this.#fullSince = null;
    stuck.close();
    this.#lost(ABNORMAL, "stuck");
  }

  #over(message) {
    this.isOver = true;
    this.#ended.resolve(message);
  }

  #lost(code, reason) {
    if (this.isOver) return;
    const canComeBack = MAY_COME_BACK.includes(code) && this.#resumeToken !== null;
    if (!canComeBack || this.#failures >= RETRIES) {
      this.isOver = true;
      this.#ended.reject(new Error(reason));
      this.#fire("closed", { code, reason });
      return;
    }
    this.#isFirstLine = false;
    this.#fire("reconnecting", { code, reason });
    this.#timer = setTimeout(() => this.open(), delayMs(this.#failures++, Math.random()));
  }

  #fire(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Return a promise beside what settles it. */
function settling() {
  const settle = {};
  settle.promise = new Promise((resolve, reject) => Object.assign(settle, { resolve, reject }));
  return settle;
}
