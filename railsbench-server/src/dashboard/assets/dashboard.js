// Keeps the page fresh: asks for it again when there is news, and shows its <main>.
"use strict";

const eventNames = [
  "run_created", "run_status_changed", "stop_requested", "task_created", "task_claimed",
  "heartbeat", "task_requeued", "task_completed", "task_failed", "task_cancelled",
];
const pause = 500;
let timer = null;

async function refresh() {
  timer = null;
  const answer = await fetch(location.href, { credentials: "same-origin" });
  if (answer.status === 401) {
    location.reload();
    return;
  }
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("live");
  if (fresh) document.getElementById("live").replaceChildren(...fresh.childNodes);
}

function news() {
  if (timer === null) timer = setTimeout(() => refresh().catch(() => {}), pause);
}

const live = document.getElementById("live");
if (live && live.dataset.events) {
  // The stream begins with the first event; one refresh covers all that have passed.
  const source = new EventSource(live.dataset.events);
  for (const name of eventNames) source.addEventListener(name, news);
} else if (live && live.dataset.every) {
  setInterval(() => document.hidden || news(), Number(live.dataset.every) * 1000);
}
