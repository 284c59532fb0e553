// Renoir in ComfyUI's page: scores on the nodes, two entries in the menu of every node with pictures, and the panel that refines.
// Talks to ComfyUI alone, below renoir/.

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";

const base = new URL("renoir/", new URL(api.apiURL("/"), location.href));

class Refused extends Error {
  constructor(status, { message, hint, code }) {
    super(hint ? `${message} ${hint}` : message);
    this.status = status;
    this.code = code;
  }
}

/** The header tells our own page from another site's, which could send the request but not the header. */
async function ask(path, { method = "GET", body, headers = {} } = {}) {
  if (path === "keep") return await keep(body);
  const isForm = body instanceof FormData;
  const content = isForm || body === undefined ? body : JSON.stringify(body);
  const answer = await fetch(new URL(path, base), {
    method,
    body: content,
    headers: { "X-Renoir": "plugin", ...(content && !isForm && { "Content-Type": "application/json" }), ...headers },
  }).catch(() => {
    throw new Refused(0, { message: "ComfyUI does not answer: is it still running?" });
  });
  const found = await answer.json().catch(() => ({}));
  if (answer.ok) return found;
  if (found.error?.code === "away")
    throw new Refused(answer.status, { ...found.error, code: "host", hint: howToStart });
  throw new Refused(answer.status, found.error ?? { message: `Status ${answer.status}.` });
}

const howToStart = "Start it: Extensions > Renoir in ComfyUI's menu, or `renoir start` in a terminal.";

function tell(severity, summary, detail) {
  app.extensionManager.toast.add({ severity, summary, detail, life: severity === "error" ? 12000 : 6000 });
}

const told = (work) => () => work().catch((error) => tell("error", "Renoir", error.message));

// ---- the picture of a node

/** As it was saved, with its texts: without the page's own preview of it. */
function pictureOf(node) {
  const image = node.imgs?.[node.imageIndex ?? node.overIndex ?? 0];
  if (!image?.src) return undefined;
  const url = new URL(image.src, location.href);
  for (const name of ["preview", "channel", "rand"]) url.searchParams.delete(name);
  return { source: url.href, workflow: app.graph.serialize() };
}

const hasPictures = (node) => Boolean(node.imgs?.length);

// ---- score

async function score(node) {
  const picture = pictureOf(node);
  const bytes = await (await fetch(picture.source)).blob();
  const form = new FormData();
  form.append("images", bytes, "picture.png");
  const { results } = await ask("api/v1/score", { method: "POST", body: form });
  const [result] = results;
  if (result.error) throw new Refused(200, result.error);
  const text = Object.entries(result.scores).map(([name, value]) => `${name} ${value.toFixed(4)}`);
  tell("success", text.join(", "), result.prompt);
}

// ---- the server

async function start() {
  let state = await ask("start", { method: "POST" });
  tell("info", "Renoir", state.message);
  for (let i = 0; i < 240 && state.state === "starting"; i++) {
    await new Promise((done) => setTimeout(done, 500));
    state = await ask("state");
  }
  tell(state.state === "running" ? "success" : "error", "Renoir", state.message);
}

async function unload() {
  const { unloaded } = await ask("unload", { method: "POST" });
  tell("success", "Renoir", unloaded.length > 0 ? `${unloaded.join(", ")} left memory.` : "No model is loaded.");
}

async function tellState() {
  const { state, message } = await ask("state");
  tell(state === "running" ? "success" : "warn", "Renoir", state === "away" ? `${message} ${howToStart}` : message);
}

// ---- refine: the panel is the same in every host

let panel;
function loadPanel() {
  panel ??= new Promise((done, failed) => {
    const style = Object.assign(document.createElement("link"), {
      rel: "stylesheet",
      href: new URL("style.css", base),
    });
    const script = Object.assign(document.createElement("script"), { src: new URL("panel.js", base) });
    script.onload = done;
    script.onerror = () => failed(new Error("The panel can not be loaded from ComfyUI."));
    document.head.append(style, script);
  }).catch((error) => {
    panel = undefined;
    throw error;
  });
  return panel;
}

let opened;
async function refine(node) {
  opened = pictureOf(node);
  await loadPanel();
  await window.renoir.openPanel(opened);
}

/** Through ComfyUI's own queue, so that the picture is in its history and its output folder like any other. */
async function keep({ job }) {
  const output = { 1: { class_type: "RenoirResult", inputs: { job, filename_prefix: "refined" } } };
  const { prompt_id: id } = await api.queuePrompt(0, { output, workflow: opened.workflow });
  for (;;) {
    const run = (await (await api.fetchApi(`/history/${id}`)).json())[id];
    if (run?.status?.completed) {
      const [{ filename, subfolder }] = run.outputs[1].images;
      return { path: `output/${subfolder ? `${subfolder}/` : ""}${filename}` };
    }
    const failure = run?.status?.messages?.find(([kind]) => kind === "execution_error");
    if (run) throw new Error(failure?.[1].exception_message ?? "ComfyUI did not keep the picture.");
    await new Promise((done) => setTimeout(done, 400));
  }
}

window.renoir = { base, ask, insert() {} };

// ---- scores on the nodes

const widgetName = "renoir_scores";
const margins = 30; // ComfyUI leaves 10 pixels around such a widget, and we a few within it
const number = (value) => (value === null ? "–" : value.toFixed(4));

/** Most of ImageReward's scores lie between -2 and 2: a bar says the same in every batch. */
const usual = 2;
const bar = (value, low, high) => `<i style="width:${Math.round((100 * (value - low)) / (high - low))}%"></i>`;

const escaped = (text) => Object.assign(document.createElement("p"), { textContent: text }).innerHTML;

function rows(scored) {
  const totals = scored.map(({ total }) => total).filter((total) => total !== null);
  const best = Math.max(...totals);
  const [low, high] = [Math.min(-usual, ...totals), Math.max(usual, best)];
  return scored
    .map(({ scores, total }, i) => {
      const title = Object.entries(scores)
        .map(([name, value]) => `${name} ${value.toFixed(4)}`)
        .join(", ");
      const mark = total === best && scored.length > 1 ? " class='renoir-top'" : "";
      return `<div${mark} title="${escaped(title)}"><b>${i + 1}</b><span>${total === null ? "" : bar(total, low, high)}</span><code>${number(total)}</code></div>`;
    })
    .join("");
}

function show(node, { renoir: scored = [], renoir_note: [note] = [] }) {
  let widget = node.widgets?.find(({ name }) => name === widgetName);
  if (!widget) {
    const place = document.createElement("div");
    place.className = "renoir-scores";
    const lines = (text) => Math.min(6, Math.ceil((text.length * 6.5) / Math.max(node.size[0] - 40, 100)));
    const height = () => {
      const text = place.querySelector("p")?.textContent;
      return margins + 20 * Math.min(place.querySelectorAll("div").length, 8) + (text ? 6 + 16 * lines(text) : 0);
    };
    widget = node.addDOMWidget(widgetName, "renoir", place, {
      serialize: false,
      getMinHeight: height,
      getMaxHeight: height,
    });
    widget.place = place;
  }
  widget.place.innerHTML = rows(scored) + (note ? `<p>${escaped(note)}</p>` : "");
  const [width, needed] = node.computeSize();
  node.setSize([Math.max(node.size[0], width), Math.max(node.size[1], needed)]);
  node.graph?.setDirtyCanvas(true, true);
}

const style = `
.renoir-scores { font: 12px/20px sans-serif; color: var(--input-text, #ddd); overflow: hidden auto; padding: 4px 8px; box-sizing: border-box; }
.renoir-scores div { display: flex; gap: 6px; height: 20px; align-items: center; }
.renoir-scores b { width: 1.6em; text-align: right; font-weight: 400; opacity: .7; }
.renoir-scores span { flex: 1; height: 8px; background: #8883; border-radius: 4px; }
.renoir-scores i { display: block; height: 8px; border-radius: 4px; background: #64748b; }
.renoir-scores .renoir-top i { background: #22c55e; }
.renoir-scores code { width: 5em; text-align: right; font: inherit; font-variant-numeric: tabular-nums; }
.renoir-scores p { margin: 2px 0 0; line-height: 16px; white-space: pre-line; opacity: .85; }`;

/** In the list are those that the server can use now; what a workflow names stays, whether it is there or not. */
async function offerRewards(node) {
  const rewards = await ask("rewards").catch(() => []);
  const widget = node.widgets.find(({ name }) => name === "reward");
  if (rewards.length > 0) widget.options.values = rewards;
}

// ---- ComfyUI's hooks

let listed = false;
function menu(node) {
  if (!hasPictures(node)) return [];
  return [
    { content: "Refine with ReNO", callback: told(() => refine(node)) },
    { content: "Score", callback: told(() => score(node)) },
  ];
}

app.registerExtension({
  name: "renoir.scores",
  commands: [
    { id: "Renoir.State", label: "State of the server", icon: "pi pi-info-circle", function: told(tellState) },
    { id: "Renoir.Start", label: "Start the server", icon: "pi pi-play", function: told(start) },
    { id: "Renoir.Unload", label: "Unload models", icon: "pi pi-eject", function: told(unload) },
  ],
  menuCommands: [{ path: ["Extensions", "Renoir"], commands: ["Renoir.State", "Renoir.Start", "Renoir.Unload"] }],
  init() {
    document.head.append(Object.assign(document.createElement("style"), { textContent: style }));
  },
  /** Front ends of 2025-11 and later ask here; those before know only the node's own function. Both is once too often. */
  getNodeMenuItems: (node) => (listed ? [] : menu(node)),
  nodeCreated(node) {
    const own = node.getExtraMenuOptions;
    node.getExtraMenuOptions = function (canvas, options) {
      const more = own?.call(this, canvas, options);
      listed = true;
      queueMicrotask(() => {
        listed = false;
      });
      options.unshift(...menu(this));
      return more;
    };
    if (node.comfyClass === "RenoirLoadReward") offerRewards(node);
    if (!node.comfyClass?.startsWith("Renoir")) return;
    const executed = node.onExecuted;
    node.onExecuted = function (output) {
      executed?.call(this, output);
      if (output?.renoir) show(this, output);
    };
  },
});
