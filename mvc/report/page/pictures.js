// The charts: drawing them, and finding the commit under a pointer.
// chart → the rows in which commits are looked for, and where they stand
const charts = {
  map: { table: "points", x: "x", y: "y" },
  dendrogram: { table: "leaves", x: "x" },
  length: { table: "length", x: "t" },
  turn: { table: "turn", x: "t" },
  layers: { table: "cells", x: "x1", half: 0.5 },
};
const kinds = { map: "Map", dendrogram: "Dendrogram", length: "Step length", turn: "Turning angle", layers: "Layers by steps" };
const state = { commit: null, views: {}, shown: {}, map: 0, dendrogram: 0 };

const pictureOf = (name) => {
  if (name === "map") return data.maps[state.map];
  if (name === "dendrogram") return data.trees[state.dendrogram];  // -1 where none has the commit
  const lineage = commits[state.commit].lineage;
  return name === "layers" ? data.layers[lineage] : data.drift[lineage];
};
const places = (chart, picture) => rows(chart.table === "cells" ? picture.tables.cells.across : picture.tables[chart.table]);
const chosenIn = (name) => state.shown[name].places.filter((row) => row.c === state.commit).map((row) => ({ ...row }));
const widthOf = (element) => Math.max(280, Math.floor(element.clientWidth));
const heightOf = (name, width, picture) => {
  if (name === "map") return Math.round(Math.min(0.62 * width, 640));
  return name === "layers" ? Math.max(data.heights[name] + 70, 13 * picture.tables.cells.values.length + 70) : data.heights[name];
};

const draw = async (name) => {
  const picture = pictureOf(name);
  const element = byId(name);
  element.hidden = !picture;
  const shown = state.shown[name];
  if (!picture) {
    state.views[name]?.finalize();
    delete state.views[name];
    delete state.shown[name];
    return;
  }
  if (shown && shown.picture === picture && state.views[name]) {
    await state.views[name].data("chosen", chosenIn(name)).runAsync();
    return;
  }
  state.shown[name] = { picture, places: places(charts[name], picture) };
  const sets = Object.fromEntries(Object.entries(picture.tables).map(([key, table]) => [key, rows(table)]));
  const spec = structuredClone(data.specs[dark.matches ? "dark" : "light"][name]);
  const width = widthOf(element);
  Object.assign(spec, { width, height: heightOf(name, width, picture) });
  for (const set of spec.data) {
    if (set.name === "chosen") set.values = chosenIn(name);
    else if (sets[set.name]) set.values = sets[set.name];
  }
  state.views[name]?.finalize();
  // errors only: Vega warns of every table that is empty
  const made = await vegaEmbed(element, spec, { mode: "vega", ast: true, actions: false, renderer: "canvas", defaultStyle: false, tooltip: false, logLevel: 1 });
  state.views[name] = made.view;
  // Vega calls it a document, in which screen readers keep the arrows to themselves
  element.setAttribute("role", "application");
  element.setAttribute("aria-roledescription", "chart");
  element.setAttribute("aria-label", `${kinds[name]}. ${picture.title}`);
  made.view.addEventListener("click", (event) => {
    const c = nearest(name, event);
    if (c !== null) choose(c);
  });
  made.view.addEventListener("mousemove", (event) => tip(nearest(name, event), event));
  made.view.addEventListener("mouseout", () => tip(null));
};

const nearest = (name, event) => {
  const view = state.views[name];
  const shown = state.shown[name];
  if (!view || !shown) return null;
  const chart = charts[name];
  const [left, top] = view.origin();
  const box = byId(name).querySelector("canvas").getBoundingClientRect();
  const at = [event.clientX - box.left - left, event.clientY - box.top - top];
  const xScale = view.scale("x");
  const yScale = chart.y ? view.scale("y") : null;
  let best = null;
  let least = chart.y ? 18 ** 2 : 24 ** 2;
  for (const row of shown.places) {
    const away = (xScale(row[chart.x] + (chart.half ?? 0)) - at[0]) ** 2 + (yScale ? (yScale(row[chart.y]) - at[1]) ** 2 : 0);
    if (away <= least) [best, least] = [row.c, away];
  }
  return best;
};

const tip = (c, event) => {
  const box = byId("tip");
  box.hidden = c === null;
  if (c === null) return;
  const commit = commits[c];
  box.replaceChildren(dot(commit.lineage), make("strong", { text: place(c) }), ` ${short(commit.id)}`, make("br"), commit.path, ...(commit.message ? [make("br"), commit.message.slice(0, 120)] : []));
  box.style.left = `${Math.min(event.clientX + 14, window.innerWidth - box.offsetWidth - 8)}px`;
  box.style.top = `${Math.min(event.clientY + 14, window.innerHeight - box.offsetHeight - 8)}px`;
};
