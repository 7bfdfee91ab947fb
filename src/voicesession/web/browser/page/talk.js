// The page of `voicesession serve`: one call at a time, and what is said in it.

import { VoiceCall } from "./voicesession.js";

const [talk, pause, state, said, partial] = ["talk", "pause", "state", "said", "partial"].map(
  (id) => document.getElementById(id),
);

let call = null;
let isPaused = false;

talk.onclick = () => (call === null ? begin() : call.end().catch(() => over("the line is lost")));
pause.onclick = () => call.send({ type: isPaused ? "resume" : "pause" });

async function begin() {
  talk.disabled = true;
  show("connecting");
  try {
    call = new VoiceCall({ url: await newSession() });
    follow(call);
    await call.start();
  } catch (error) {
    over(error.message);
  }
}

async function newSession() {
  const answer = await fetch("/v1/sessions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ store_audio: true, store_transcript: true }),
  });
  const { session, detail } = await answer.json();
  if (!answer.ok) throw new Error(detail);
  return session.websocket_url;
}

function follow(call) {
  const on = (type, listener) => call.addEventListener(type, ({ detail }) => listener(detail));
  on("session.begin", () => isPaused || talking("listening")); // of the first line, or another
  on("session.paused", ({ reasons }) => paused(`paused: ${reasons.join(", ")}`));
  on("session.resumed", () => talking("listening"));
  on("session.end", ({ status }) => over(status));
  on("turn.state", ({ state }) => isPaused || show(state));
  on("transcript.partial", ({ text }) => (partial.textContent = text));
  on("transcript.final", ({ utterance }) => write(utterance));
  on("reconnecting", () => show("the line is broken: trying again"));
  on("closed", ({ reason }) => over(reason || "the line is lost"));
}

function talking(how) {
  isPaused = false;
  talk.disabled = pause.disabled = false;
  talk.textContent = "End";
  pause.textContent = "Pause";
  show(how);
}

function paused(why) {
  isPaused = true;
  pause.textContent = "Resume";
  show(why);
}

function over(how) {
  call = null;
  isPaused = false;
  talk.disabled = false;
  pause.disabled = true;
  talk.textContent = "Talk";
  partial.textContent = "";
  show(how);
}

function write({ speaker, text, interrupted }) {
  if (text === "") return; // a reply that was interrupted before its first word
  const line = document.createElement("li");
  line.className = interrupted ? `${speaker} interrupted` : speaker;
  line.textContent = text;
  said.append(line);
  if (speaker === "user") partial.textContent = "";
}

function show(what) {
  state.textContent = what;
}
