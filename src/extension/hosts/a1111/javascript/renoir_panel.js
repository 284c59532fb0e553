// The panel that refines a picture: asks, follows the job by socket, shows before, after and the curve, keeps the result.
(() => {
  const template = `
        <form method="dialog" class="renoir-heading">
            <h2 id="renoir_title">Refine (ReNO)</h2>
            <button class="renoir-close" aria-label="Close">&times;</button>
        </form>
        <p class="renoir-prompt"></p>
        <div class="renoir-pictures">
            <figure><img class="renoir-before" alt="The picture as it is"><figcaption class="renoir-score-before">before</figcaption></figure>
            <figure><img class="renoir-after" alt="The best picture so far"><figcaption class="renoir-score-after">after</figcaption></figure>
        </div>
        <svg class="renoir-curve" viewBox="0 0 600 150" role="img" aria-label="How the reward goes"></svg>
        <p class="renoir-message" role="status"></p>
        <ul class="renoir-notes"></ul>
        <details class="renoir-options"><summary>Options</summary>
            <label>Looks <input name="iterations" type="number" min="1" max="1000" value="25"></label>
            <label>How <select name="mode"><option value="refine">refine by gradients</option><option value="select">best of so many noises</option></select></label>
            <label>Rewards <input name="rewards" placeholder="as the server's settings say"></label>
            <label>Model <input name="model" placeholder="as the picture's file says"></label>
        </details>
        <div class="renoir-actions">
            <button type="button" class="renoir-go primary">Refine</button>
            <button type="button" class="renoir-cancel">Cancel</button>
            <button type="button" class="renoir-keep primary">Keep</button>
        </div>`;

  const { base } = window.renoir;
  const here = (path) => new URL(path.replace(/^\//, ""), base).href;
  let panel;

  async function openPanel(picture) {
    panel?.close();
    panel = new Panel(picture);
    await panel.begin();
  }
  window.renoir.openPanel = openPanel;

  // ---- the socket, only while a job is followed

  let script;
  const loadClient = () => {
    script ??= new Promise((done, failed) => {
      const element = document.createElement("script");
      element.src = here("socket.io/socket.io.min.js");
      element.onload = () => done(window.io);
      element.onerror = () => {
        script = undefined;
        failed(new Error("The server's socket can not be reached. Is Renoir running?"));
      };
      document.head.append(element);
    });
    return script;
  };

  async function connect() {
    const io = await loadClient();
    // Long polling goes through every host and every proxy before it.
    return io(base.origin, {
      path: `${base.pathname}socket.io/`,
      transports: ["polling"],
      extraHeaders: { "X-Renoir": "plugin" },
    });
  }

  // ---- pictures

  const bytesOf = async (source) => new Uint8Array(await (await fetch(source)).arrayBuffer());

  function base64(bytes) {
    let text = "";
    for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
    return btoa(text);
  }

  /** Where the host has it, from an address such as /file=/folder/0.png?1700000000. */
  function fileOf(source) {
    const found = /\/file=([^?#]+)/.exec(source);
    return found ? decodeURIComponent(found[1]) : undefined;
  }

  const total = (scores) => Object.values(scores ?? {}).reduce((sum, score) => sum + score, 0);
  const scoreText = (scores) =>
    Object.entries(scores ?? {})
      .map(([name, score]) => `${name} ${score.toFixed(4)}`)
      .join(", ");

  // ---- the curve

  function element(name, attributes, text) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function draw(svg, steps) {
    svg.replaceChildren();
    const values = steps.map(({ rewards }) => total(rewards));
    if (values.length === 0) return;
    const low = Math.min(...values);
    const span = Math.max(...values) - low || 1;
    const x = (i) => 50 + (i * 535) / Math.max(values.length - 1, 1);
    const y = (value) => 130 - ((value - low) * 110) / span;
    for (const value of [low, low + span]) {
      svg.append(element("line", { x1: 50, x2: 585, y1: y(value), y2: y(value), class: "renoir-axis" }));
      svg.append(element("text", { x: 44, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(2)));
    }
    svg.append(
      element("polyline", {
        points: values.map((value, i) => `${x(i)},${y(value)}`).join(" "),
        class: "renoir-line-path",
      }),
    );
    const best = values.indexOf(Math.max(...values));
    svg.append(element("circle", { cx: x(best), cy: y(values[best]), r: 5, class: "renoir-best" }));
  }

  // ---- the panel

  class Panel {
    constructor(picture) {
      this.picture = picture;
      this.steps = [];
      this.urls = new Set();
      this.dialog = document.createElement("dialog");
      this.dialog.id = "renoir_panel";
      this.dialog.className = "renoir-panel";
      this.dialog.setAttribute("aria-labelledby", "renoir_title");
      this.dialog.innerHTML = template;
      this.dialog.addEventListener("close", () => this.end());
      this.on("go", () => this.start());
      this.on("cancel", () => this.cancel());
      this.on("keep", () => this.keep());
      document.body.append(this.dialog);
      this.dialog.showModal();
      this.show("idle");
    }

    part(name) {
      return this.dialog.querySelector(`.renoir-${name}`);
    }

    on(name, work) {
      this.part(name).addEventListener("click", () => work().catch((error) => this.say(error.message, true)));
    }

    say(text, wrong = false) {
      this.part("message").textContent = text;
      this.part("message").classList.toggle("renoir-wrong", wrong);
    }

    /** Which buttons there are: before, while and after a job. */
    show(state) {
      this.dialog.dataset.state = state;
    }

    close() {
      if (this.dialog.open) this.dialog.close();
    }

    end() {
      this.socket?.disconnect();
      for (const url of this.urls) URL.revokeObjectURL(url);
      this.dialog.remove();
    }

    url(bytes, type) {
      const url = URL.createObjectURL(new Blob([bytes], { type }));
      this.urls.add(url);
      return url;
    }

    async begin() {
      if (!this.picture) {
        this.show("empty");
        return this.say("There is no picture yet: generate one, or choose one in PNG Info.", true);
      }
      if (this.picture.isGrid) {
        this.show("empty");
        return this.say("This is the grid of all pictures: select one of them.", true);
      }
      try {
        this.bytes = await bytesOf(this.picture.source);
        this.part("before").src = this.url(this.bytes, "image/png");
        const info = await window.renoir.ask("api/v1/info", { method: "POST", body: { image: base64(this.bytes) } });
        this.says = info;
        const prompt = info.prompt ?? this.picture.text?.split("\n")[0];
        this.part("prompt").textContent = prompt ?? "The picture's file does not say how it was made.";
        this.part("score-before").textContent = ["before", scoreText(info.scores)].filter(Boolean).join(": ");
        this.say("Ready. The picture is drawn again from its own noise, which is then improved step by step.");
      } catch (error) {
        this.show("empty");
        this.say(`${error.message} ${error.code === "away" ? "Start it in the Renoir accordion." : ""}`.trim(), true);
      }
    }

    request() {
      const option = (name) => this.dialog.querySelector(`[name=${name}]`).value.trim();
      const rewards = option("rewards")
        .split(",")
        .map((name) => name.trim())
        .filter(Boolean);
      return {
        image: base64(this.bytes),
        ...(this.says?.infotext == null && this.picture.text && { infotext: this.picture.text }),
        iterations: Number(option("iterations")) || 25,
        mode: option("mode"),
        ...(rewards.length > 0 && { rewards }),
        ...(option("model") && { model: option("model") }),
      };
    }

    async start() {
      this.show("running");
      this.steps = [];
      this.notes([]);
      this.say("The job is sent ...");
      try {
        const { id } = await window.renoir.ask("api/v1/refine", { method: "POST", body: this.request() });
        this.job = id;
        await this.follow();
      } catch (error) {
        this.show("idle");
        throw error;
      }
    }

    async follow() {
      this.socket ??= await this.listen();
      this.socket.emit("job:join", this.job);
    }

    async listen() {
      const socket = await connect();
      const mine = (work) => (news) => news.id === this.job && work(news);
      socket.on(
        "connect",
        () => this.job && this.dialog.dataset.state === "running" && socket.emit("job:join", this.job),
      );
      socket.on("connect_error", () => this.say("The connection to the server is interrupted; trying again ...", true));
      socket.on(
        "job:steps",
        mine((job) => this.take(job)),
      );
      socket.on(
        "job:step",
        mine((step) => this.step(step)),
      );
      socket.on(
        "job:progress",
        mine(({ message, done, total: all }) => this.say(message ?? `Look ${done}${all ? ` of ${all}` : ""}`)),
      );
      socket.on(
        "job:note",
        mine(({ note }) => this.notes([...this.said, note])),
      );
      for (const end of ["done", "failed", "cancelled"])
        socket.on(
          `job:${end}`,
          mine((job) => this.finish(job)),
        );
      return socket;
    }

    notes(list) {
      this.said = list;
      this.part("notes").replaceChildren(
        ...list.map((note) => Object.assign(document.createElement("li"), { textContent: note })),
      );
    }

    take(job) {
      this.steps = job.steps.filter(({ rewards }) => rewards);
      this.notes(job.notes);
      const best = this.steps.findLast(({ best }) => best);
      if (best?.preview) this.part("after").src = here(best.preview);
      this.redraw();
      if (["done", "failed", "cancelled"].includes(job.state)) this.finish(job);
    }

    step(step) {
      if (!step.rewards) return;
      this.steps.push(step);
      const source = step.image ? this.url(step.image, "image/jpeg") : step.preview && here(step.preview);
      if (step.best && source) this.part("after").src = source;
      this.say(`Look ${step.step}: ${scoreText(step.rewards)}${step.ms ? `, ${(step.ms / 1000).toFixed(1)} s` : ""}`);
      this.redraw();
    }

    redraw() {
      draw(this.part("curve"), this.steps);
      const best = this.steps.findLast(({ best }) => best);
      if (this.steps[0]) this.part("score-before").textContent = `before: ${scoreText(this.steps[0].rewards)}`;
      if (best) this.part("score-after").textContent = `after: ${scoreText(best.rewards)}`;
    }

    finish(job) {
      const { result, error, state } = job;
      if (result?.before) this.part("before").src = here(result.before);
      if (result?.picture) this.part("after").src = here(result.picture);
      this.notes(job.notes);
      this.show(result?.picture ? "done" : "idle");
      if (error) return this.say([error.message, error.hint].filter(Boolean).join(" "), true);
      const gain = result?.scores ? total(result.scores.after) - total(result.scores.before) : 0;
      const what = gain > 0 ? `${gain.toFixed(4)} better than before` : "no look was better than the picture as it is";
      this.say(`${state === "cancelled" ? "Cancelled" : "Done"}: ${result?.picture ? what : "nothing was made"}.`);
    }

    async cancel() {
      this.say("Cancelling; the best so far stays ...");
      await window.renoir.ask(`api/v1/jobs/${this.job}`, { method: "DELETE" });
    }

    async keep() {
      this.say("Saving ...");
      const file = fileOf(this.picture.source);
      const kept = await window.renoir.ask("keep", { method: "POST", body: { job: this.job, file } });
      this.show("kept");
      if (this.picture.tab) window.renoir.insert(this.picture, this.job);
      this.say(`Kept as ${kept.path}${this.picture.tab ? ", and in the gallery." : "."}`);
    }
  }
})();
