// Written from the models of voicesession by constants_module(); a test holds it equal.

export const SERVER_MESSAGES = Object.freeze([
  "session.begin",
  "session.state",
  "session.paused",
  "session.resumed",
  "session.end",
  "session.terminated",
  "transcript.partial",
  "transcript.final",
  "vad.speech_start",
  "vad.speech_end",
  "turn.state",
  "reply.begin",
  "reply.end",
  "reply.clear",
  "budget.warning",
  "recorder.degraded",
  "warning",
  "error"
]);

export const CLIENT_MESSAGES = Object.freeze([
  "config",
  "text",
  "flush",
  "clear",
  "interrupt",
  "pause",
  "resume",
  "consent",
  "ack",
  "playout",
  "end",
  "attach"
]);

export const CLOSE_CODES = Object.freeze({
  "1000": "ended",
  "1008": "not found or not authorised",
  "1009": "too big",
  "1011": "internal",
  "1012": "draining",
  "4400": "bad message or parameter",
  "4402": "budget (cannot start)",
  "4408": "too slow",
  "4409": "taken over",
  "4410": "expired",
  "4429": "quota"
});

export const MAY_COME_BACK = Object.freeze([
  1000,
  1001,
  1005,
  1006,
  1011,
  1012,
  4408
]);

export const SUBPROTOCOL = Object.freeze("voicesession");

export const SAMPLE_RATE = Object.freeze(16000);

export const RETRIES = Object.freeze(10);

export const FIRST_DELAY_MS = Object.freeze(250);

export const LONGEST_DELAY_MS = Object.freeze(5000);

export const JITTER = Object.freeze(0.5);
