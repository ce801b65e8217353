"use strict";
// Reads values off the curves and moves the samples through training. Without it, the page shows the last of both.
(() => {
  const content = JSON.parse(document.getElementById("content").textContent);
  const find = (id) => document.getElementById(id);
  const kimg = (images) => `${(images / 1000).toLocaleString("en", { maximumFractionDigits: 3 })} kimg`;
  const sorted = (numbers) => [...new Set(numbers)].sort((a, b) => a - b);
  document.documentElement.classList.add("scripted");

  // The index of the last number that is not above a limit, in a sorted list; the first index if all are.
  const upTo = (numbers, limit) => {
    let low = 0, high = numbers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (numbers[middle] <= limit) low = middle + 1; else high = middle;
    }
    return Math.max(low - 1, 0);
  };

  // Shows a slider over moments of training, and calls `show` with the moment it is at.
  const slider = (name, moments, show) => {
    const input = find(name), said = find(`${name}-said`);
    const move = () => {
      const moment = moments[input.value];
      said.value = kimg(moment);
      input.setAttribute("aria-valuetext", kimg(moment));
      show(moment);
    };
    input.max = moments.length - 1;
    input.value = moments.length - 1;
    input.closest(".scrub").hidden = false;
    input.addEventListener("input", move);
    move();
    return { input, move, to: (index) => { input.value = index; move(); } };
  };

  // ------------------------------------------------------------------------------------------------ samples
  const grids = sorted(content.samples.flat().map((sample) => sample.images));
  const show = (moment) => content.samples.forEach((samples, run) => {
    if (!samples.length) return;
    const sample = samples[upTo(samples.map((s) => s.images), moment)];
    const image = find(`sample-${run}`);
    image.src = sample.url;
    image.alt = `Grid of samples of ${content.runs[run]} after ${kimg(sample.images)}`;
    find(`sample-at-${run}`).textContent = kimg(sample.images);
  });
  if (grids.length) {
    const samples = slider("when", grids, show), play = find("play");
    let timer = null;
    const stop = () => { clearInterval(timer); timer = null; play.textContent = "Play"; };
    const next = () => {
      const index = Number(samples.input.value) + 1;
      if (index < grids.length) samples.to(index);
      if (index + 1 >= grids.length) stop();
    };
    play.addEventListener("click", () => {
      if (timer) return stop();
      if (Number(samples.input.value) === grids.length - 1) samples.to(0);
      play.textContent = "Stop";
      timer = setInterval(next, 250);
    });
    samples.input.addEventListener("pointerdown", stop);
    samples.input.addEventListener("keydown", stop);
  }

  // ------------------------------------------------------------------------------------------------- curves
  const box = content.box;
  const inner = { width: box.width - box.left - box.right, height: box.height - box.top - box.bottom };
  const across = (images) => box.left + inner.width * (content.most ? images / content.most : 0);
  const up = (panel, value) => box.top + inner.height * (1 - (value - panel.low) / (panel.high - panel.low));
  const shown = (value) => String(Number(value.toPrecision(6)));
  const moments = sorted(content.panels.flatMap((panel) => panel.curves.flatMap((curve) => curve.x)));
  const figures = content.panels.map((panel, index) => {
    const figure = document.querySelector(`[data-panel="${index}"]`);
    return {
      panel, svg: figure.querySelector("svg"), hair: figure.querySelector(".hair"),
      spots: figure.querySelectorAll(".spot"), values: figure.querySelectorAll(".value"),
    };
  });
  let telling = null;

  const readOff = (moment) => {
    const all = figures.map(({ panel, hair, spots, values }) => {
      hair.setAttribute("d", `M${across(moment)} ${box.top}V${box.height - box.bottom}`);
      return panel.curves.map((curve, i) => {
        const at = upTo(curve.x, moment), value = curve.y[at], inside = value >= panel.low && value <= panel.high;
        spots[i].setAttribute("cx", inside ? across(curve.x[at]) : -9);
        spots[i].setAttribute("cy", inside ? up(panel, value) : -9);
        values[i].textContent = shown(value);
        values[i].title = `${value} at ${kimg(curve.x[at])}`;
        return `${panel.name}${content.runs.length > 1 ? ` of ${content.runs[curve.run]}` : ""} ${shown(value)}`;
      });
    });
    clearTimeout(telling);  // a screen reader hears where the slider rests, not each step on the way
    telling = setTimeout(() => { find("read-off").textContent = `${kimg(moment)}: ${all.flat().join(", ")}`; }, 400);
  };
  if (moments.length) {
    const curves = slider("at", moments, readOff);
    const point = (svg) => (event) => {
      const place = svg.getBoundingClientRect();
      const x = (event.clientX - place.left) * box.width / place.width;
      const images = (x - box.left) / inner.width * content.most;
      const below = upTo(moments, images), above = Math.min(below + 1, moments.length - 1);
      curves.to(images - moments[below] > moments[above] - images ? above : below);
    };
    figures.forEach(({ svg }) => ["pointermove", "pointerdown"].forEach((kind) => svg.addEventListener(kind, point(svg))));
  }

  // ----------------------------------------------------------------------------------------------- settings
  const choice = find("all-settings"), table = find("settings-table");
  find("settings-choice").hidden = false;
  choice.addEventListener("change", () => table.classList.toggle("all", choice.checked));
  const empty = () => { table.hidden = !choice.checked && !table.querySelector(".told"); };
  choice.addEventListener("change", empty);
  empty();
})();
