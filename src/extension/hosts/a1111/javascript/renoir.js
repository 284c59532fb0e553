// Renoir in the page of the host: how the server is, and the buttons that open the panel. Talks to this host alone, below renoir/.
(() => {
  const base = new URL("renoir/", document.baseURI.split(/[?#]/)[0]);
  const tabs = ["txt2img", "img2img"];
  const app = () => (typeof gradioApp === "function" ? gradioApp() : document);
  const find = (selector) => app().querySelector(selector);

  class Refused extends Error {
    constructor(status, error) {
      super(error.hint ? `${error.message} ${error.hint}` : error.message);
      this.status = status;
      this.code = error.code;
    }
  }

  // The header tells our own page from another site's, which could send the request but not the header.
  async function ask(path, { method = "GET", body, headers = {} } = {}) {
    const content = body === undefined ? undefined : JSON.stringify(body);
    const answer = await fetch(new URL(path, base), {
      method,
      body: content,
      headers: { "X-Renoir": "plugin", ...(content && { "Content-Type": "application/json" }), ...headers },
    }).catch(() => {
      throw new Refused(0, { message: "This UI does not answer: is it still running?" });
    });
    const found = await answer.json().catch(() => ({}));
    if (answer.ok) return found;
    throw new Refused(answer.status, found.error ?? { message: `Status ${answer.status}.` });
  }

  // ---- the accordion: state of the server, Start, Unload

  const parts = (tab) => ({
    state: find(`#script_${tab}_renoir_state`),
    start: find(`#script_${tab}_renoir_start`),
    unload: find(`#script_${tab}_renoir_unload`),
  });

  function show({ state, message, models = [], canStart = false }) {
    for (const tab of tabs) {
      const { state: place, start, unload } = parts(tab);
      if (!place) continue;
      let line = place.querySelector(".renoir-line");
      if (!line) {
        line = document.createElement("div");
        line.className = "renoir-line";
        line.setAttribute("role", "status");
        place.append(line);
      }
      line.dataset.state = state;
      if (line.textContent !== message) line.textContent = message;
      start?.classList.toggle("renoir-hidden", !canStart);
      unload?.classList.toggle("renoir-hidden", models.length === 0);
    }
  }

  /** Of the tab that is seen. */
  function address() {
    const fields = tabs.map((tab) => find(`#script_${tab}_renoir_address :is(textarea, input)`)).filter(Boolean);
    return (fields.find(({ offsetParent }) => offsetParent) ?? fields[0])?.value ?? "";
  }

  const failed = (error) => show({ state: "away", message: error.message });
  let asking = false;

  async function refresh() {
    if (asking) return;
    asking = true;
    await ask("state", { method: "POST", body: { address: address() } }).then(show, failed);
    asking = false;
  }

  /** Only while somebody can see it: every few seconds a request is nothing, but it need not be. */
  const isSeen = () => tabs.some((tab) => parts(tab).state?.offsetParent) && !document.hidden;

  function press(button, work) {
    button?.addEventListener("click", async () => {
      button.disabled = true;
      await work().catch(failed);
      button.disabled = false;
    });
  }

  function setUpAccordions() {
    for (const tab of tabs) {
      const { start, unload } = parts(tab);
      press(start, async () => show(await ask("start", { method: "POST" })));
      press(unload, async () => {
        await ask("unload", { method: "POST" });
        await refresh();
      });
    }
    refresh();
    setInterval(() => isSeen() && refresh(), 3000);
  }

  // ---- the buttons

  function button(id, text, classes, work) {
    const made = document.createElement("button");
    made.id = id;
    made.type = "button";
    made.className = classes;
    made.textContent = text;
    made.title = "Refine (ReNO): optimise this picture's noise for a better score";
    made.addEventListener("click", work);
    return made;
  }

  /** The picture that is selected; in the overview of all, the first that is no grid. */
  function chosen(tab) {
    const info = infoOf(tab);
    const first = info.index_of_first_image ?? 0;
    const small = [...app().querySelectorAll(`#${tab}_gallery .thumbnail-item.thumbnail-small`)];
    const all = small.length > 0 ? small : [...app().querySelectorAll(`#${tab}_gallery .thumbnail-item`)];
    const selected = small.findIndex((thumbnail) => thumbnail.classList.contains("selected"));
    const index = selected < 0 ? Math.min(first, Math.max(all.length - 1, 0)) : selected;
    const picture = all[index]?.querySelector("img") ?? find(`#${tab}_gallery img`);
    return picture && { source: picture.src, index, tab, text: info.infotexts?.[index], isGrid: index < first };
  }

  /** What the host knows of the pictures in its gallery: their texts, for those whose files say nothing, and where they begin. */
  function infoOf(tab) {
    try {
      return JSON.parse(find(`#generation_info_${tab} textarea`).value);
    } catch {
      return {};
    }
  }

  const ofPngInfo = () => {
    const picture = find("#pnginfo_image img");
    return picture && { source: picture.src, text: find("#pnginfo_generation_info textarea")?.value };
  };

  const open = (picture) =>
    window.renoir.openPanel(picture ?? undefined).catch((error) => console.error("Renoir:", error));

  function setUpButtons() {
    for (const tab of tabs) {
      const row = find(`#image_buttons_${tab}`);
      if (!row || find(`#renoir_refine_${tab}`)) continue;
      const like = row.querySelector("button")?.className ?? "lg secondary gradio-button";
      const classes = like.replace(/\btool\b/, ""); // as narrow as one emoji
      row.append(button(`renoir_refine_${tab}`, "Refine", `${classes} renoir-button`, () => open(chosen(tab))));
    }
    const place = find("#txt2img_tab")?.closest("#tab_pnginfo") ?? find("#tab_pnginfo");
    if (!place || find("#renoir_refine_pnginfo")) return;
    const next = [...place.querySelectorAll("button")].find(({ id }) => id === "txt2img_tab");
    const made = button("renoir_refine_pnginfo", "Refine (ReNO)", next?.className ?? "lg secondary gradio-button", () =>
      open(ofPngInfo()),
    );
    (next?.parentElement ?? place).append(made);
  }

  // ---- back into the gallery

  function setValue(field, value) {
    const own = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), "value");
    own.set.call(field, value); // the page's framework hears of a change by the event alone
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  /** The host's own Python puts it there: a page has no other way into a gallery. */
  function insert({ tab, index }, job) {
    const field = find(`#script_${tab}_renoir_insert_text textarea`);
    const press = find(`#script_${tab}_renoir_insert_button`);
    if (!field || !press) throw new Error("This host has no place for the picture in its gallery.");
    setValue(field, JSON.stringify({ job, index }));
    setTimeout(() => press.click(), 100); // gradio takes up a field's value in its own time
  }

  window.renoir = { base, ask, insert, refresh };

  onUiLoaded(() => {
    setUpAccordions();
    setUpButtons();
  });
  // Themes such as SD.Next's move or make the rows later.
  if (typeof onAfterUiUpdate === "function") onAfterUiUpdate(setUpButtons);
})();
