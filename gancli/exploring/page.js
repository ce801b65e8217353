"use strict";

const offers = JSON.parse(document.getElementById("offers").textContent);
const $ = (id) => document.getElementById(id);
const pins = []; // {spot, image, text}
const moved = { axes: new Map(), directions: new Map() };
let seed = 0;
let view = null; // what is shown
let shown = null; // its image, once it has come
let playing = false;

// ---------------------------------------------------------------------------------------------- what is asked for

const letter = (index) => String.fromCharCode(65 + index);
const side = () => Number($("side").value);
const frames = () => Math.min(240, Math.max(2, Math.round(Number($("frames").value)) || 2));

function spot(plain = false) {
  const amounts = (of) => [...of].filter(([, value]) => of === moved.axes || value !== 0);
  return {
    seed,
    of_class: $("class").value || null,
    truncation: $("truncate").checked ? Number($("truncation").value) : null,
    axes: plain ? [] : amounts(moved.axes),
    directions: plain ? [] : amounts(moved.directions),
    by: $("by").value || "sefa",
    layers: $("layers").value || null,
  };
}

const sample = () => (side() > 1 ? { view: "sheet", spot: spot(true), side: side() } : { view: "sample", spot: spot() });
const walk = () => ({ view: "walk", pins: pins.map((pin) => pin.spot), frames: frames() });
const frame = () => ({ ...walk(), view: "frame", at: Number($("at").value) });

function text(of) {
  if (of.view === "frame") return `Walk from A to ${letter(of.pins.length - 1)}: frame ${of.at + 1} of ${of.frames}`;
  const start = of.spot;
  const parts = [of.view === "sheet" ? `Seeds ${start.seed} to ${start.seed + of.side ** 2 - 1}` : `Seed ${start.seed}`];
  if (start.of_class !== null) parts.push(`class ${start.of_class}`);
  if (start.truncation !== null) parts.push(`truncation ${start.truncation}`);
  const changed = start.axes.length + start.directions.length;
  if (changed) parts.push(`${changed} slider${changed > 1 ? "s" : ""} moved`);
  return parts.join(", ");
}

// --------------------------------------------------------------------------------------------------- the server

async function ask(name, body) {
  let answer;
  try {
    const headers = { "Content-Type": "application/json" };
    answer = await fetch(name, { method: "POST", headers, body: JSON.stringify(body) });
  } catch {
    throw new Error("gancli explore has ended: start it again, and open the address that it prints");
  }
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error);
  return value;
}

let wanted = null; // the newest view; older ones that have not been asked for are skipped
let busy = null;

function show(next) {
  view = wanted = next;
  enable();
  busy ??= generate().finally(() => (busy = null));
  return busy;
}

async function generate() {
  while (wanted) {
    const now = wanted;
    wanted = null;
    try {
      const answer = await ask("image", now);
      shown = { view: now, image: answer.image };
      $("image").src = answer.image;
      $("image").alt = $("caption").textContent = text(now);
      if (now.view === "sample") fill(answer.axes);
      complain("");
    } catch (error) {
      stop();
      complain(error.message);
    }
  }
  enable();
}

const complain = (message) => { $("problem").textContent = message; };

async function keep(button, what) {
  button.disabled = true;
  $("saved").textContent = "Saving…";
  try {
    tell(await ask("save", what));
    complain("");
  } catch (error) {
    $("saved").textContent = "";
    complain(error.message);
  }
  button.disabled = false;
  button.focus({ preventScroll: true });
}

function tell({ file, command }) {
  const said = document.createElement("p");
  said.textContent = `Saved as ${file}. This command generates it again:`;
  const code = document.createElement("code");
  code.textContent = command;
  const copy = document.createElement("button");
  copy.type = "button";
  copy.textContent = "Copy command";
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code); // the browser does not allow it: the user copies
    }
  });
  $("saved").replaceChildren(said, code, copy);
  $("saved").scrollIntoView({ block: "center" }); // on a narrow page it may be far above
}

// ---------------------------------------------------------------------------------------------------- controls

function enable() {
  const one = view?.view === "sample";
  $("axes").disabled = $("directions").disabled = side() > 1;
  $("pin").disabled = !one || pins.length >= 8;
  $("save").textContent = view?.view === "frame" ? "Save frame" : view?.view === "sheet" ? "Save grid" : "Save image";
}

function setSeed(value) {
  seed = Math.min(999999999974, Math.max(0, Math.round(value) || 0));
  $("seed").value = seed;
  $("seed-slider").value = Math.min(seed, 999);
  changed();
}

function changed() {
  stop();
  return show(sample());
}

function slider(group, number, name, reach) {
  const row = document.createElement("div");
  const [label, output, input] = ["label", "output", "input"].map((tag) => document.createElement(tag));
  row.className = "slider";
  Object.assign(input, { type: "range", id: `${group}-${number}`, min: -reach, max: reach, step: 0.05, value: 0 });
  label.htmlFor = output.htmlFor = input.id;
  label.textContent = name;
  output.textContent = "0.00";
  input.addEventListener("input", () => {
    moved[group].set(number, Number(input.value));
    row.classList.add("moved");
    output.textContent = Number(input.value).toFixed(2);
    changed();
  });
  row.append(label, output, input);
  $(group).querySelector(".sliders").append(row);
}

/** Show the values that the seed gives to axes whose sliders nobody has moved. */
function fill(values) {
  offers.axes.forEach(({ axis }, index) => {
    if (moved.axes.has(axis)) return;
    const input = $(`axes-${axis}`);
    input.value = values[index];
    input.parentElement.querySelector("output").textContent = values[index].toFixed(2);
  });
}

function reset(group) {
  moved[group].clear();
  for (const row of $(group).querySelectorAll(".slider")) {
    row.classList.remove("moved");
    row.querySelector("input").value = 0;
    row.querySelector("output").textContent = "0.00";
  }
  changed();
}

// -------------------------------------------------------------------------------------------------------- pins

function addPin() {
  if (shown?.view.view !== "sample" || pins.length >= 8) return;
  pins.push({ spot: shown.view.spot, image: shown.image, text: text(shown.view) });
  listPins();
}

function removePin(index) {
  pins.splice(index, 1);
  listPins();
  ($("pins").querySelector("button") ?? $("pin")).focus();
  if (view.view === "frame") changed();
}

function listPins() {
  stop();
  $("pins").replaceChildren(...pins.map((pin, index) => {
    const [item, image, words, remove] = ["li", "img", "span", "button"].map((tag) => document.createElement(tag));
    Object.assign(image, { src: pin.image, alt: "", className: offers.small ? "small" : "" });
    words.textContent = `${letter(index)}: ${pin.text}`;
    Object.assign(remove, { type: "button", textContent: "Remove" });
    remove.setAttribute("aria-label", `Remove pin ${letter(index)}`);
    remove.addEventListener("click", () => removePin(index));
    item.append(image, words, remove);
    return item;
  }));
  $("walking").hidden = pins.length < 2;
  $("walk-hint").hidden = pins.length >= 2;
  $("at").value = 0;
  place();
  enable();
}

function place() {
  $("at").max = frames() - 1;
  $("at-value").textContent = `${Number($("at").value) + 1} of ${frames()}`;
}

function step() {
  place();
  return show(frame());
}

function stop() {
  playing = false;
  $("play").textContent = "Play";
}

async function play() {
  if (playing) return stop();
  playing = true;
  $("play").textContent = "Stop";
  while (playing) {
    const start = performance.now();
    $("at").value = (Number($("at").value) + 1) % frames();
    await step();
    await new Promise((done) => setTimeout(done, Math.max(0, 40 - (performance.now() - start)))); // 25 frames/s
  }
}

// ------------------------------------------------------------------------------------------------------- start

function begin() {
  $("model").textContent = offers.model;
  $("about").textContent = `${offers.variant}, ${offers.size} pixels`;
  $("image").classList.toggle("small", offers.small);
  for (const { axis, name, reach } of offers.axes) slider("axes", axis, name, reach);
  for (const name of offers.classes) $("class").append(new Option(name, name));
  $("class-choice").hidden = offers.classes.length === 0;
  if (offers.truncation) {
    $("truncation-choice").hidden = false;
    $("truncation-by").textContent = offers.truncation.by;
    Object.assign($("truncation"), { min: offers.truncation.least, max: offers.truncation.most, value: 0.7 });
  }
  const { by, count, reach, layers } = offers.directions;
  $("directions").hidden = by.length === 0;
  for (const name of by) $("by").append(new Option(name === "pca" ? "GANSpace (pca)" : "SeFa", name));
  for (let number = 0; number < count; number++) slider("directions", number, `Direction ${number}`, reach);
  $("layers-choice").hidden = !layers;
  listen();
  setSeed(0);
}

function listen() {
  const on = (id, event, action) => $(id).addEventListener(event, action);
  on("seed", "change", () => setSeed(Number($("seed").value)));
  on("seed-slider", "input", () => setSeed(Number($("seed-slider").value)));
  on("previous", "click", () => setSeed(seed - side() ** 2));
  on("next", "click", () => setSeed(seed + side() ** 2));
  on("random", "click", () => setSeed(Math.floor(Math.random() * 1000000)));
  for (const id of ["side", "class", "by", "layers"]) on(id, "change", changed);
  on("truncate", "change", () => {
    $("truncation").disabled = !$("truncate").checked;
    changed();
  });
  on("truncation", "input", () => {
    $("truncation-value").textContent = Number($("truncation").value).toFixed(2);
    changed();
  });
  for (const group of ["axes", "directions"]) {
    $(group).querySelector(".reset").addEventListener("click", () => reset(group));
  }
  on("pin", "click", addPin);
  on("frames", "change", () => {
    $("frames").value = frames();
    stop();
    step();
  });
  on("at", "input", () => {
    stop();
    step();
  });
  on("play", "click", play);
  on("save", "click", () => keep($("save"), shown.view));
  on("save-walk", "click", () => keep($("save-walk"), walk()));
}

begin();
