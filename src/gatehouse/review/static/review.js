// The review page. It shows what the server gives it, and says what the reviewer does; the server decides what holds.

const config = JSON.parse(document.body.dataset.config);
const isGrid = config.view === "grid";
const page = crypto.randomUUID();
const HELD = isGrid ? 24 : 4; // the upload on the stage and the next three, or a screen of tiles
const BUSY_POLL = 1000, IDLE_POLL = 10_000;
const LOOK_SOON = 5000, LOOK_LATE = 60_000; // each look reads the index of all days that are shown
const BEFORE_AGAIN = 1000; // browsers cut connections when the network changes, or the machine wakes up

const $ = (id) => document.getElementById(id);
const stage = $("stage"), toast = $("toast"), notices = $("notices"), note = $("note"), live = $("live");

const held = []; // uploads that this page holds, in order; the first one is on the stage
let showsState = true; // the stage has a message instead of an upload
let staysShown = false; // a message that the reviewer has to read first
let isFilling = false, isStopped = false;
let chosen = null; // the reason that was chosen for the next decision
const usual = { ...config.first }; // the reason that a status had last
let decided = 0, left = 0, elsewhere = 0, isAll = false;
let waiting = []; // decisions that can be undone
let lookAgain = LOOK_SOON;
const groups = []; // of decisions, the last one first to be undone
const unheard = new Map(); // decisions whose answer has not come, by their group
const takenBack = new Set(), refused = new Set(); // groups: undone without an answer yet, and not taken by the app
let heard = 0; // the number of the last news
const seenUnsent = new Set();

// Talking to the server. What changes something goes one after the other, in the order in which it was done.

class Refusal extends Error {
  constructor(status, told) {
    super(told.why || "The page could not be reached.");
    this.status = status;
    this.error = told.error;
  }
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// What is asked may be asked twice: what is decided and undone at once has a name, its group, and news have numbers.
async function ask(path, body) {
  const text = JSON.stringify({ page, view: config.view, ...body });
  const headers = { "Content-Type": "application/json", Accept: "application/json" };
  // What was decided arrives although the tab is closed; browsers keep no more than 64 KiB alive so.
  const options = { method: "POST", headers, body: text, keepalive: path === "/decide" && text.length < 60_000 };
  let answer;
  try {
    answer = await fetch(path, options).catch((error) => {
      if (path === "/again") throw error;
      return pause(BEFORE_AGAIN).then(() => fetch(path, options));
    });
  } catch {
    throw new Refusal(0, { error: "stopped", why: "The page was stopped." });
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(answer.status, told);
  return told;
}

let last = Promise.resolve();
function inOrder(path, body) {
  const asked = last.then(() => ask(path, body));
  last = asked.catch(() => {});
  return asked;
}

// Elements without a string of HTML that somebody else wrote.

function element(name, fields = {}, ...children) {
  const made = document.createElement(name);
  for (const [field, value] of Object.entries(fields)) {
    if (field === "class") made.className = value;
    else if (field === "on") made.addEventListener("click", value);
    else made.setAttribute(field, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

function say(words) {
  live.textContent = "";
  requestAnimationFrame(() => { live.textContent = words; });
}

const keyOf = (upload) => `${upload.version} ${upload.object}`;
const nameOf = (object) => object.slice(object.lastIndexOf("/") + 1) || object;
const linkTo = (upload) => `/?${new URLSearchParams({ object: upload.object, version: upload.version })}`;

// An upload, ready to be shown: its details are drawn by the server, which escapes everything.

function prepare(upload) {
  const parsed = new DOMParser().parseFromString(upload.html, "text/html").body.firstElementChild;
  const image = element("img", { alt: `The upload ${upload.name}` });
  const made = { ...upload, element: document.adoptNode(parsed), image, isSeen: false };
  made.element.querySelector(".picture").append(image);
  image.src = upload.picture;
  made.isLoaded = image.decode().catch(() => loadAgain(made));
  return made;
}

// A picture that the app has, and the browser gave up on, is loaded once more; else the page says why there is none.
async function loadAgain(upload) {
  let why = "It could not be loaded.";
  upload.isAbsent = false;
  try {
    const answer = await fetch(upload.picture, { headers: { Accept: "application/json" } });
    if (answer.ok) {
      why = "The browser can't draw it.";
      answer.body?.cancel();
      upload.image.src = upload.picture;
      return await upload.image.decode();
    }
    why = (await answer.json()).why || why;
  } catch { /* the sentence above will do */ }
  upload.isAbsent = true;
  const again = element("button", { type: "button", class: "quiet", on: (event) => {
    event.preventDefault(); // in the grid, a click selects
    words.replaceWith(upload.image);
    upload.isReady = upload.isSeen = false;
    delete upload.element.dataset.seen;
    upload.isLoaded = loadAgain(upload);
    seeOnceLoaded(upload);
  } }, "Try again");
  const words = element("span", { class: "absent" }, element("strong", {}, "There is no picture to show. "), `${why} `, again);
  upload.image.replaceWith(words);
}

// Decisions are about what was on the screen: on the stage when it is painted, in the grid when one has scrolled to it.

function seeOnceLoaded(upload) {
  upload.isLoaded.then(() => requestAnimationFrame(() => {
    upload.isReady = true;
    if (isGrid) return onScreen.observe(upload.element);
    sees(upload);
    requestAnimationFrame(() => { // the frame before this one was painted
      if (held[0] === upload) performance.mark("shown", { detail: upload.object });
    });
  }));
}

function sees(upload) {
  upload.isSeen = true;
  upload.element.dataset.seen = "yes";
}

let onScreen = watched();
function watched() {
  const behindTheVerbs = `0px 0px -${$("actions").offsetHeight}px 0px`; // they stay at the bottom
  return new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      const upload = isIntersecting && held.find((each) => each.element === target);
      if (!upload) continue;
      onScreen.unobserve(target);
      sees(upload);
    }
  }, { threshold: 0.5, rootMargin: behindTheVerbs });
}
window.addEventListener("resize", () => {
  if (!isGrid) return;
  onScreen.disconnect();
  onScreen = watched();
  held.filter((upload) => upload.isReady && !upload.isSeen).forEach((upload) => onScreen.observe(upload.element));
});

// The stage.

function showFirst() {
  if (isGrid) return showGrid();
  const upload = held[0];
  staysShown = false;
  document.body.classList.remove("zoomed");
  $("zoom").setAttribute("aria-pressed", "false");
  if (!upload) return showNothing();
  showsState = false;
  stage.replaceChildren(upload.element);
  seeOnceLoaded(upload);
  setVerbs();
  const heading = upload.element.querySelector(".name");
  if (!document.querySelector("dialog[open]") && document.activeElement !== note) heading.focus({ preventScroll: true });
  clearTimeout(showFirst.context);
  showFirst.context = setTimeout(() => showContext(upload), 400);
}

async function showContext(upload) {
  if (held[0] !== upload || upload.hasContext) return;
  upload.hasContext = true;
  const query = new URLSearchParams({ object: upload.object, version: upload.version });
  const answer = await fetch(`/context?${query}`).catch(() => null);
  if (!answer?.ok) return;
  const parsed = new DOMParser().parseFromString(await answer.text(), "text/html").body;
  upload.element.querySelector(".context").replaceChildren(...parsed.childNodes);
}

function showState(title, words, ...buttons) {
  showsState = true;
  const said = `${title}. ${words}`;
  if (stage.firstElementChild?.dataset.says === said) return; // who has read it is not disturbed
  const heading = element("h2", { tabindex: "-1" }, title);
  stage.replaceChildren(element(isGrid ? "li" : "div", { class: "state", "data-says": said }, heading, element("p", {}, words), ...buttons));
  setVerbs();
  say(said);
  if (hasNoFocus()) heading.focus({ preventScroll: true });
}

// What had the focus may be gone, or be a button that can't be pressed any more.
const hasNoFocus = () => document.activeElement === document.body || document.activeElement?.disabled;

function showNothing() {
  if (isFilling) {
    showsState = true;
    stage.replaceChildren(element(isGrid ? "li" : "div", { class: "state" }, element("p", { class: "muted" }, "Looking for what waits ...")));
    setVerbs();
    return;
  }
  const others = elsewhere ? ` Other reviewers look at ${elsewhere} more.` : "";
  const look = element("button", { type: "button", on: () => { lookAgain = LOOK_SOON; fill(); } }, "Look now");
  showState("Nothing waits here", `The page looks again by itself, at least once a minute. To look further back, or at something else, change the filters.${others}`, look);
}

function showLost(upload, why) {
  staysShown = true;
  showState(
    "This upload is not yours any more",
    `${nameOf(upload.object)}: ${why}. Nothing of yours was lost, and there is nothing to do for you here.`,
    element("button", { type: "button", on: () => showFirst() }, "Next upload"),
  );
}

function showStopped() {
  if (isStopped) return;
  isStopped = true;
  staysShown = false;
  held.length = 0;
  showState("The page was stopped", "What the app had heard of was sent, or is listed when you start it again with gatehouse review open. You can close this tab.");
  toast.hidden = true;
}

// The grid.

function showGrid() {
  if (!held.length) return showNothing();
  if (showsState) stage.replaceChildren();
  showsState = false;
  const shown = new Map([...stage.children].map((child) => [child.dataset.key, child]));
  for (const upload of held) {
    const key = keyOf(upload);
    if (!shown.has(key)) {
      const item = element("li", {}, upload.element);
      item.dataset.key = key;
      stage.append(item);
      seeOnceLoaded(upload);
    }
    shown.delete(key);
  }
  for (const child of shown.values()) child.remove();
  setVerbs();
}

const isPicked = (upload) => upload.element.querySelector(".pick")?.checked;
const picked = () => (isGrid ? held.filter(isPicked) : held.slice(0, 1));

function moveInGrid(step) {
  const picks = [...stage.querySelectorAll(".pick")];
  const at = picks.indexOf(document.activeElement);
  const columns = getComputedStyle(stage).gridTemplateColumns.split(" ").length;
  const to = at < 0 ? 0 : at + ({ ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns })[step];
  picks[Math.max(0, Math.min(picks.length - 1, to))]?.focus();
}

// Getting the next uploads.

async function fill() {
  if (isFilling || isStopped || held.length >= HELD) return;
  isFilling = true;
  try {
    const told = await ask("/next", { filters: config.filters, want: HELD - held.length });
    ({ left, elsewhere } = told);
    isAll = told.is_all;
    decided = Math.max(decided, told.decided);
    const known = new Set(held.map(keyOf));
    held.push(...told.uploads.filter((upload) => !known.has(keyOf(upload))).map(prepare));
    lookAgain = told.uploads.length ? LOOK_SOON : Math.min(LOOK_LATE, lookAgain * 2);
    isFilling = false;
    if ((showsState && !staysShown) || isGrid) showFirst();
  } catch (refusal) {
    isFilling = false;
    if (refusal.error === "stopped") return showStopped();
    if (!held.length) {
      showState("The next uploads could not be read", refusal.message, element("button", { type: "button", on: () => { showsState = true; fill(); showNothing(); } }, "Try again"));
    }
  }
  setCounts();
  clearTimeout(fill.later);
  if (held.length < HELD) fill.later = setTimeout(fill, lookAgain);
}

async function open(upload) {
  try {
    const told = await ask("/named", upload);
    held.unshift(...told.uploads.filter((each) => !held.some((one) => keyOf(one) === keyOf(each))).map(prepare));
    showFirst();
  } catch (refusal) {
    if (refusal.error === "stopped") return showStopped();
    notice(nameOf(upload.object), refusal.status === 502 ? refusal.message : `can't be shown to you: ${refusal.message}. The next uploads are below.`);
  }
}

// What reviewers do.

function reasonFor(status) { return chosen ?? usual[status]; }

// Who approves samples agrees with the policy, and needs no reason.
const confirms = (status, uploads) => status === "APPROVED" && uploads.length > 0 && uploads.every((upload) => upload.isSample);

async function decide(status) {
  const uploads = picked();
  if (!uploads.length || showsState) return isGrid ? say("Nothing is selected.") : undefined;
  const unseen = uploads.filter((upload) => !upload.isSeen);
  if (unseen.some((upload) => !upload.isReady)) return say(isGrid ? "Some of the pictures are still loading." : "The picture is still loading.");
  if (unseen.length) {
    unseen[0].element.scrollIntoView({ block: "center" });
    return say(`${unseen.length} of the selected pictures were not on the screen yet. Scroll to them, then decide.`);
  }
  if (status === "APPROVED" && uploads.some((upload) => upload.isAbsent)) {
    return say("There is no picture to look at, so it can't be approved here. Block or skip it.");
  }
  const isConfirming = confirms(status, uploads), reason = reasonFor(status), words = note.value.trim();
  if (reason === config.needsNote && !words && !isConfirming) {
    note.focus();
    note.setAttribute("aria-invalid", "true");
    return say(`The reason ${reason} needs a note.`);
  }
  if (!isConfirming) usual[status] = reason;
  const at = [...stage.children].findIndex((child) => child.contains(document.activeElement));
  remove(uploads);
  note.value = "";
  note.removeAttribute("aria-invalid");
  choose(null);
  performance.mark("decided");
  showFirst();
  if (isGrid && at >= 0 && hasNoFocus()) [...stage.querySelectorAll(".pick")].slice(0, at + 1).at(-1)?.focus();
  const what = isConfirming ? "Confirmed" : status === "APPROVED" ? "Approved" : "Blocked";
  const whom = uploads.length === 1 ? uploads[0].name : `${uploads.length} uploads`;
  showToast(isConfirming ? `${what} ${whom}` : `${what} ${whom}: ${reason}`);
  say(`${what} ${whom}. ${held.length && !isGrid ? `Next: ${held[0].says}` : ""}`);
  decided += uploads.length;
  left = Math.max(0, left - uploads.length);
  setCounts();
  const group = crypto.randomUUID();
  groups.push(group);
  unheard.set(group, { group, uploads: uploads.map(({ object, version }) => ({ object, version })), status, reason, note: words });
  try {
    await inOrder("/decide", unheard.get(group));
    unheard.delete(group);
  } catch (refusal) {
    unheard.delete(group);
    refused.add(group);
    if (groups.includes(group)) groups.splice(groups.indexOf(group), 1);
    decided -= uploads.length;
    setCounts();
    toast.hidden = true;
    if (refusal.error === "stopped") {
      for (const upload of uploads) notice(upload.name, "may not have been decided: the app did not answer.");
      return showStopped();
    }
    held.unshift(...uploads); // the app still holds them for this page, but for what the next poll names
    showFirst();
    notice(whom, `${uploads.length === 1 ? "was" : "were"} not decided. ${refusal.message}`);
  }
  fill();
  poll();
}

async function undo() {
  const group = groups.pop();
  if (!group) return say("There is nothing to undo.");
  unheard.delete(group);
  takenBack.add(group);
  let told;
  try {
    told = await inOrder("/undo", { group });
  } catch (refusal) {
    if (refusal.error === "stopped") return showStopped();
    toast.hidden = true;
    if (refused.has(group)) return; // a notice says that it was not decided
    if (refusal.error !== "sent") groups.push(group);
    return say(refusal.message);
  } finally {
    takenBack.delete(group);
  }
  decided -= told.uploads.length;
  left += told.uploads.length;
  held.unshift(...told.uploads.map(prepare));
  toast.hidden = true;
  showFirst();
  setCounts();
  say(`Undone: ${told.uploads.map((upload) => upload.name).join(", ")}`);
  poll();
}

async function skip() {
  if (staysShown) return showFirst();
  const uploads = picked();
  if (!uploads.length || showsState) return;
  remove(uploads);
  showFirst();
  say(`Skipped. ${held.length && !isGrid ? `Next: ${held[0].says}` : ""}`);
  for (const { object, version } of uploads) {
    try {
      await ask("/skip", { object, version });
    } catch (refusal) {
      if (refusal.error === "stopped") return showStopped();
    }
  }
  fill();
}

function remove(uploads) {
  for (const upload of uploads) held.splice(held.indexOf(upload), 1);
}

function choose(reason) {
  chosen = reason;
  for (const button of document.querySelectorAll(".reason")) {
    button.setAttribute("aria-pressed", String(button.dataset.reason === reason));
  }
  setVerbs();
}

// What is around the stage.

function setVerbs() {
  const uploads = picked(), count = isGrid ? uploads.length : 0;
  for (const [id, status, verb] of [["approve", "APPROVED", "Approve"], ["block", "BLOCKED", "Block"]]) {
    const isConfirming = confirms(status, uploads);
    $(id).querySelector(".verb").textContent = isConfirming ? "Confirm" : verb;
    $(id).querySelector(".because").textContent = `${count > 1 ? `${count}, ` : ""}${isConfirming ? "rightly approved" : reasonFor(status)}`;
    $(id).disabled = showsState;
  }
  $("skip").disabled = showsState && !staysShown;
}

function setCounts() {
  const more = isAll ? "" : "+";
  const others = elsewhere ? `, ${elsewhere} with others` : "";
  $("counts").textContent = `${decided} decided, ${left}${more} left${others}`;
  $("progress").max = Math.max(1, decided + left);
  $("progress").value = decided;
}

function showToast(words) {
  $("toast-words").textContent = words;
  toast.hidden = false;
  toast.classList.remove("runs");
  void toast.offsetWidth; // so that the countdown starts again
  toast.classList.add("runs");
}

function notice(name, words, upload, ...buttons) {
  const remove = () => {
    made.remove();
    if (hasNoFocus()) (notices.querySelector("button") ?? stage.querySelector(".name, .pick, .state h2") ?? notices).focus();
  };
  const close = element("button", { type: "button", class: "quiet", on: remove }, "Close");
  const look = upload ? element("button", { type: "button", on: () => { remove(); isGrid ? (location.href = linkTo(upload)) : open({ object: upload.object, version: upload.version }); } }, "Look at it") : null;
  const made = element("div", { class: "notice" }, element("p", {}, element("strong", {}, name), ` ${words}`), look, ...(buttons.length ? buttons.map((make) => make(remove)) : [close]));
  notices.append(made);
  say(`${name} ${words}`);
  return made;
}

function tellNews(news) {
  const { outcome, why } = news;
  if (outcome === "done" || outcome === "already") return;
  if (outcome === "unsent") return; // listed with the others that wait to be sent
  decided = Math.max(0, decided - 1);
  const start = outcome === "lost" ? "was decided or changed by somebody else, and your decision was not made:" : "was not decided:";
  notice(nameOf(news.object), `${start} ${why}.`, news);
}

function tellUnsent(entries) {
  for (const entry of entries) {
    if (seenUnsent.has(entry.id)) continue;
    seenUnsent.add(entry.id);
    const verb = entry.status === "APPROVED" ? "approve" : "block";
    const give = (close) => element("button", { type: "button", class: "quiet", on: () => { close(); ask("/dismiss", { id: entry.id }); } }, "Give up");
    const again = (close) => element("button", { type: "button", on: async () => {
      close();
      seenUnsent.delete(entry.id);
      try {
        tellNews(await ask("/again", { id: entry.id }));
        poll();
      } catch (refusal) {
        notice(nameOf(entry.object), refusal.message, entry);
      }
    } }, "Try again");
    notice(nameOf(entry.object), `is not decided yet: to ${verb} it (${entry.reason}) could not be sent. ${entry.why}`, entry, ...(entry.again ? [again, give] : [give]));
  }
}

async function poll() {
  clearTimeout(poll.later);
  if (isStopped) return;
  try {
    const known = [...held, ...[...unheard.values()].flatMap(({ uploads }) => uploads)];
    const told = await ask("/keep", { held: known.map(({ object, version }) => ({ object, version })), heard });
    waiting = told.waiting;
    if (!waiting.length) toast.hidden = true;
    for (const news of told.news.filter(({ number }) => number > heard)) {
      heard = news.number;
      tellNews(news);
    }
    tellUnsent(told.unsent);
    for (const lost of told.lost) {
      const at = held.findIndex((upload) => keyOf(upload) === keyOf(lost));
      if (at < 0) continue;
      const [upload] = held.splice(at, 1);
      if (at === 0 && !isGrid && !showsState) showLost(upload, lost.why);
      else if (isGrid) showGrid();
    }
    setCounts();
    if (told.lost.length) fill();
  } catch (refusal) {
    if (refusal.error === "stopped" || refusal.status === 401) return showStopped();
  }
  poll.later = setTimeout(poll, waiting.length ? BUSY_POLL : IDLE_POLL);
}

// Settings that the browser remembers.

// In cookies: the app has another port at each start, which would be another storage.
function remembered(name, otherwise) {
  const found = document.cookie.split("; ").find((cookie) => cookie.startsWith(`gatehouse-${name}=`));
  return found?.split("=")[1] ?? otherwise;
}
function remember(name, value) {
  document.cookie = `gatehouse-${name}=${value}; path=/; max-age=31536000; samesite=strict`;
}
function setToggle(name, isOn) {
  document.body.classList.toggle(name, isOn);
  $(name).setAttribute("aria-pressed", String(isOn));
}
function flip(name) {
  const isOn = !document.body.classList.contains(name);
  setToggle(name, isOn);
  remember(name, isOn ? "on" : "off");
  say(`${name === "blur" ? "Blur" : "Gray"} is ${isOn ? "on" : "off"}.`);
}
const reveal = (isOn) => document.body.classList.toggle("revealed", isOn);
function zoom() {
  if (isGrid) return;
  const isOn = document.body.classList.toggle("zoomed");
  $("zoom").setAttribute("aria-pressed", String(isOn));
  const frame = stage.querySelector(".upload > .picture");
  if (frame && isOn) { frame.tabIndex = 0; frame.setAttribute("aria-label", "The picture in its own size; arrows scroll"); frame.setAttribute("role", "region"); frame.focus(); }
}

// Keys.

const KEYS = {
  a: () => decide("APPROVED"), b: () => decide("BLOCKED"), s: skip, u: undo, z: zoom,
  v: () => flip("blur"), c: () => flip("gray"), n: () => note.focus(),
};

const isTyping = (target) => target.matches("textarea, select, input:not([type=checkbox])");

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]") || event.defaultPrevented) return;
  if (event.key === "Escape" && isTyping(event.target)) return event.target.blur();
  if (isTyping(event.target) || event.altKey) return;
  if (event.ctrlKey || event.metaKey) {
    if (event.key.toLowerCase() === "z" && !event.shiftKey) {
      event.preventDefault();
      if (!event.repeat) undo(); // a key that is held down takes back one decision
    }
    return;
  }
  if (!$("single-keys").checked) return;
  if (event.key === " " && !event.target.matches("button, a, summary, input")) {
    event.preventDefault();
    return reveal(true);
  }
  if (event.repeat) return; // a key that is held down decides once
  if (event.key === "?") return $("help-box").showModal();
  if (isGrid && event.key.startsWith("Arrow")) { event.preventDefault(); return moveInGrid(event.key); }
  if (isGrid && event.key.toLowerCase() === "x" && event.target.matches(".pick")) return event.target.click();
  if (/^[1-9]$/.test(event.key)) {
    const reason = config.reasons[Number(event.key) - 1];
    if (reason) { choose(chosen === reason ? null : reason); say(`Reason: ${chosen ?? "the usual one"}`); }
    return;
  }
  const act = KEYS[event.key.toLowerCase()];
  if (act) { event.preventDefault(); act(); }
});
document.addEventListener("keyup", (event) => { if (event.key === " ") reveal(false); });
window.addEventListener("blur", () => reveal(false));

$("approve").addEventListener("click", () => decide("APPROVED"));
$("block").addEventListener("click", () => decide("BLOCKED"));
$("skip").addEventListener("click", skip);
$("undo").addEventListener("click", undo);
$("zoom")?.addEventListener("click", zoom);
$("blur").addEventListener("click", () => flip("blur"));
$("gray").addEventListener("click", () => flip("gray"));
$("help").addEventListener("click", () => $("help-box").showModal());
$("select-all")?.addEventListener("click", () => {
  const picks = [...stage.querySelectorAll(".pick")], all = picks.every((pick) => pick.checked);
  for (const pick of picks) pick.checked = !all;
  setVerbs();
});
stage.addEventListener("change", setVerbs);
for (const button of document.querySelectorAll(".reason")) {
  button.addEventListener("click", () => choose(chosen === button.dataset.reason ? null : button.dataset.reason));
}
for (const [start, end] of [["pointerdown", "pointerup"], ["pointerdown", "pointerleave"], ["keydown", "keyup"]]) {
  $("reveal").addEventListener(start, (event) => { if (!event.key || event.key === " " || event.key === "Enter") reveal(true); });
  $("reveal").addEventListener(end, () => reveal(false));
}
$("single-keys").addEventListener("change", (event) => remember("keys", event.target.checked ? "on" : "off"));
note.addEventListener("keydown", (event) => { if (event.key === "Enter") note.blur(); });

window.addEventListener("pagehide", () => {
  const leave = (more) => navigator.sendBeacon("/leave", new Blob([JSON.stringify({ page, ...more })], { type: "application/json" }));
  // Browsers send no more than 64 KiB after a page is gone.
  leave({ decisions: [...unheard.values()], undone: [...takenBack] }) || leave({ undone: [...takenBack] });
});
window.addEventListener("gatehouse-poll", poll);
document.addEventListener("visibilitychange", () => { // after sleep, at once
  if (document.hidden) return;
  lookAgain = LOOK_SOON;
  poll();
  fill();
});
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

for (const name of ["blur", "gray"]) setToggle(name, remembered(name, "on") === "on");
$("single-keys").checked = remembered("keys", "on") === "on";
choose(null);
poll();
if (config.named.object) open(config.named).then(fill);
else fill();
