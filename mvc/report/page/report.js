// The page: shows one commit in every picture at once. Text from files is only ever set as textContent.
(() => {
  "use strict";

  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  // ---- tables -------------------------------------------------------------------------------------------------------
  const rows = (table) => {
    if (table.values) {
      const across = rows(table.across);
      return rows(table.down).flatMap((down, i) => across.map((top, j) => ({ ...down, ...top, v: table.values[i][j] })));
    }
    const names = Object.keys(table.columns);
    const count = names.length ? table.columns[names[0]].length : 0;
    return Array.from({ length: count }, (_, i) => Object.fromEntries(names.map((name) => [name, table.columns[name][i]])));
  };
  const commits = rows(data.commits);
  const numbers = new Map(commits.map((commit, c) => [commit.id, c]));
  const lineages = rows(data.lineages);
  const findings = data.verdict.findings;
  const findingsOf = new Map();
  for (const finding of findings) {
    if (!findingsOf.has(finding.c)) findingsOf.set(finding.c, []);
    findingsOf.get(finding.c).push(finding);
  }

  // ---- words --------------------------------------------------------------------------------------------------------
  const short = (id) => id.slice(0, 10);
  const place = (c) => `${lineages[commits[c].lineage].name}@${commits[c].position}`;
  const number = (value, digits = 4) => (value === null || value === undefined ? "" : String(Number(Number(value).toPrecision(digits))));
  const percent = (value) => {
    if (value === null || value === undefined) return "";
    if (value !== 0 && Math.abs(value) < 0.001) return value > 0 ? "<0.1 %" : ">-0.1 %";
    if (value >= 0.995 && value < 1) return ">99 %";
    return `${(100 * value).toFixed(Math.abs(value) < 0.0995 ? 1 : 0)} %`;
  };
  const minute = (time) => time.slice(0, 16).replace("T", " ");
  const many = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

  // ---- elements -----------------------------------------------------------------------------------------------------
  // the only way in which this page makes elements: attributes are the page's own, children are nodes or text
  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key === "onclick") element.addEventListener("click", value);
      else if (key === "text") element.textContent = value;
      else element.setAttribute(key, value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined).map((child) => (child instanceof Node ? child : document.createTextNode(String(child)))));
    return element;
  };
  const dot = (lineage) => {
    const found = make("span", { class: "dot", "aria-hidden": "true" });
    found.style.background = lineages[lineage].colour;
    return found;
  };
  const link = (c, text) => make("button", { class: "plain", type: "button", onclick: () => choose(c) }, dot(commits[c].lineage), text ?? place(c));
  const bar = (share, child) => {
    const fill = make("i", share < 0 ? { class: "back" } : {});
    fill.style.width = `${Math.min(100, 100 * Math.abs(share))}%`;
    return make("div", { class: "bar" }, fill, child);
  };
  const grid = (heads, body) =>
    make("table", {}, make("thead", {}, make("tr", {}, ...heads.map(([text, kind]) => make("th", { scope: "col", ...(kind ? { class: kind } : {}) }, text)))),
      make("tbody", {}, ...body.map((cells) => make("tr", {}, ...cells.map((cell, i) => make("td", heads[i][1] ? { class: heads[i][1] } : {}, cell))))));

  // ---- pictures -----------------------------------------------------------------------------------------------------
  // chart → the rows in which commits are looked for, and where they stand
  const charts = {
    map: { table: "points", x: "x", y: "y" },
    dendrogram: { table: "leaves", x: "x" },
    length: { table: "length", x: "t" },
    turn: { table: "turn", x: "t" },
    layers: { table: "cells", x: "x1", half: 0.5 },
  };
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
    element.setAttribute("aria-label", `${picture.title}. ${picture.note}`);
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

  // ---- the chosen commit --------------------------------------------------------------------------------------------
  const setScope = (name, pictures) => {
    const lineage = commits[state.commit].lineage;
    const has = (picture) => picture && picture.lineages.includes(lineage);
    if (!has(pictures[state[name]])) {
      state[name] = pictures.findIndex(has);
    }
    byId(`${name}-scope`).value = String(state[name]);
    byId(`${name}-note`).textContent = pictures[state[name]]?.note ?? "No other commit has the same architecture and other weights.";
  };

  const choose = (c, { quiet = false } = {}) => {
    if (c === null || c === undefined || !commits[c]) return;
    state.commit = c;
    setScope("map", data.maps);
    setScope("dendrogram", data.trees);
    const lineage = commits[c].lineage;
    for (const element of document.querySelectorAll("[data-lineage]")) element.textContent = lineages[lineage].name;
    byId("drift-note").textContent = data.drift[lineage]?.note ?? "No step leads to a commit of this lineage.";
    byId("layers-note").textContent = data.layers[lineage]?.note ?? "No step of this lineage is recorded.";
    for (const row of byId("lineages").querySelectorAll("tbody tr")) row.className = Number(row.dataset.number) === lineage ? "chosen" : "";
    page(c);
    if (!quiet) byId("said").textContent = `${place(c)}, commit ${short(commits[c].id)}`;
    history.replaceState(null, "", `#${commits[c].id}`);
    return redraw();
  };

  // one after the other, and only the latest: data-drawn and data-theme name the commit and the colours that all
  // pictures show
  let queue = Promise.resolve();
  let latest = 0;
  const redraw = () => {
    const ticket = ++latest;
    queue = queue.then(async () => {
      if (ticket !== latest) return;
      const { commit } = state;
      const theme = dark.matches ? "dark" : "light";
      await Promise.all(Object.keys(charts).map(draw));
      Object.assign(document.documentElement.dataset, { drawn: commits[commit].id, theme });
    });
    return queue;
  };

  const move = (by) => {
    const lineage = lineages[commits[state.commit].lineage];
    const to = state.commit + by;
    if (to >= lineage.first && to < lineage.first + lineage.size) choose(to);
  };
  const cross = (by) => {
    const to = lineages[commits[state.commit].lineage + by];
    if (to) choose(to.first + Math.min(to.size - 1, commits[state.commit].position));
  };
  const nextFinding = () => {
    const broken = [...new Set(findings.filter((finding) => !finding.ignored).map((finding) => finding.c))].sort((a, b) => a - b);
    if (broken.length) choose(broken.find((c) => c > state.commit) ?? broken[0]);
  };

  const facts = (pairs) => {
    const list = make("dl");
    for (const [name, value] of pairs) if (value !== null && value !== undefined && value !== "") list.append(make("dt", { text: name }), make("dd", {}, value));
    return list;
  };

  const words = (value) => {
    if (typeof value === "number") return number(value);
    if (Array.isArray(value)) return value.map(words).join(", ");
    if (value && typeof value === "object") return Object.entries(value).map(([key, item]) => `${key} ${words(item)}`).join(", ");
    return String(value);
  };

  const findingItem = (finding, linked) =>
    make("li", {},
      make("strong", { class: finding.ignored ? "ignored" : finding.severity }, `${finding.ignored ? "ignored" : finding.severity} ${finding.rule} `),
      linked ? link(finding.c) : null, linked ? " " : null, finding.message, finding.tensor ? " in " : null, finding.tensor ? make("code", { text: finding.tensor }) : null,
      finding.ignore ? ` (ignored: ${finding.ignore.reason})` : null);

  const page = (c) => {
    const commit = commits[c];
    const lineage = lineages[commit.lineage];
    const extra = data.pages[c];
    const parts = [
      make("h2", {}, dot(commit.lineage), place(c)),
      make("div", { class: "moves" },
        make("button", { type: "button", onclick: () => move(-1) }, "← before"),
        make("button", { type: "button", onclick: () => move(1) }, "after →")),
      facts([
        ["commit", make("code", { text: commit.id })],
        ["file", make("code", { text: commit.path })],
        ["message", commit.message],
        ["time", make("time", { datetime: commit.time, title: commit.time, text: minute(commit.time) })],
        ["step", commit.step],
        ["run", commit.run],
        ["tags", commit.tags.join(", ")],
        ["check", commit.verdict ? make("span", {}, make("span", { class: `badge ${commit.verdict}`, text: commit.verdict }), commit.score === null ? "" : ` score ${commit.score}`) : commit.flags.length ? `breaks ${commit.flags.join(", ")}` : "breaks no rule by the index"],
        ["", commit.verdict === "skip" ? commit.reason : null],
      ]),
      make("h3", { text: "Why it stands here" }),
      facts([
        ["relation", `${commit.relation}, ${percent(commit.confidence)} sure`],
        [commit.relation === "forks" ? "forked from" : "after", commit.parent === null ? null : link(commit.parent)],
        ["step length", number(commit.distance)],
        ["turning angle", commit.angle === null ? null : `${number(commit.angle, 3)}°`],
        ...Object.entries(commit.evidence).map(([key, value]) => [key.replaceAll("_", " "), numbers.has(value) ? link(numbers.get(value)) : words(value)]),
      ]),
    ];
    if (commit.mixture.length) {
      parts.push(make("h3", { text: "Averaged of" }), grid([["commit"], ["weight", "number"]], commit.mixture.map(([source, weight]) => [bar(weight, link(source)), percent(weight)])));
    }
    const own = findingsOf.get(c) ?? [];
    if (own.length) parts.push(make("h3", { text: "Findings" }), make("ul", { class: "findings" }, ...own.map((finding) => findingItem(finding, false))));
    parts.push(...changes(c, extra), ...origins(c, extra));
    const before = extra?.before ?? commit.parent;
    parts.push(make("h3", { text: "Go on with" }),
      ...(before === null || before === undefined ? [] : [make("p", {}, make("code", { text: `mvc diff ${short(commits[before].id)} ${short(commit.id)}` }))]),
      make("p", {}, make("code", { text: `mvc blame ${short(commit.id)}` })),
      make("p", { class: "quiet", text: `${many(lineage.weights, "weight")} in ${many(lineage.tensors, "tensor")}` }));
    const aside = byId("page");
    aside.replaceChildren(...parts);
    aside.scrollTop = 0;
  };

  const changes = (c, extra) => {
    if (extra?.diff) {
      const found = rows(extra.diff);
      const from = extra.before === null ? "the one before" : place(extra.before);
      return [
        make("h3", { text: `What changed since ${from}` }),
        grid([["tensor, by share of the change"], ["relative", "number"], ["cosine", "number"], ["changed", "number"]],
          found.map((row) => [bar(row.share, make("span", { text: row.name })), number(row.relative, 3), number(row.cosine, 4), percent(row.numel ? row.changed / row.numel : 0)])),
      ];
    }
    const picture = data.layers[commits[c].lineage];
    const column = picture ? picture.tables.cells.across.columns.c.indexOf(c) : -1;
    if (column < 0) return [];
    const { down, values } = picture.tables.cells;
    const found = down.columns.layer.map((name, i) => [name, values[i][column]]).sort((a, b) => (b[1] ?? -99) - (a[1] ?? -99)).slice(0, 30);
    return [
      make("h3", { text: "What changed, by layer" }),
      grid([["layer"], ["relative", "number"]], found.map(([name, value]) => [bar(value === null ? 0 : Math.min(1, 10 ** value), make("span", { text: name })), value === null ? "unchanged" : number(10 ** value, 2)])),
    ];
  };

  const origins = (c, extra) => {
    if (!extra?.blame) return [];
    const shares = rows(extra.blame.shares);
    const tensors = rows(extra.blame.tensors).filter((row) => row.c !== null);
    return [
      make("h3", { text: "Blame: where its weights come from" }),
      shares.length ? grid([["commit, by share of the way from the root"], ["share", "number"]], shares.map((row) => [bar(row.share, link(row.c)), percent(row.share)])) : make("p", { text: "They are those of the root." }),
      make("h3", { text: "Last changed by" }),
      grid([["tensor"], ["commit"], ["way", "number"]], tensors.map((row) => [row.name, link(row.c), number(row.displacement, 3)])),
    ];
  };

  // ---- the whole ----------------------------------------------------------------------------------------------------
  const head = () => {
    const { name, commits: count, newest } = data.head;
    byId("name").textContent = name;
    byId("summary").textContent = `${many(count, "commit")} in ${many(lineages.length, "lineage")}, ${many(data.head.architectures, "architecture")}; newest ${minute(newest)}`;
    const { verdict, counts, judged } = data.verdict;
    const said = Object.entries(counts).filter(([, n]) => n).map(([word, n]) => `${n.toLocaleString("en")} ${word}`).join(", ");
    byId("verdict").append(
      make("p", {}, make("span", { class: `badge ${verdict}`, text: verdict }), ` ${many(judged, "commit")} judged by ${judged === 1 ? "its" : "their"} own past: ${said}.`),
      make("ul", { class: "findings" }, ...findings.map((finding) => findingItem(finding, true))));
    for (const [id, pictures] of [["map", data.maps], ["dendrogram", data.trees]]) {
      const select = byId(`${id}-scope`);
      select.append(...pictures.map((picture, i) => make("option", { value: i, text: picture.title })));
      select.hidden = pictures.length < 2;
      select.addEventListener("change", () => {
        state[id] = Number(select.value);
        const picture = pictures[state[id]];
        byId(`${id}-note`).textContent = picture.note;
        if (picture.lineages.includes(commits[state.commit].lineage)) draw(id);
        else choose(lineages[picture.lineages[0]].first + lineages[picture.lineages[0]].size - 1);
      });
    }
    const table = grid([["name"], ["commits", "number"], ["weights", "number"], ["forked from"], ["direction"]],
      lineages.map((row) => [link(row.first + row.size - 1, row.name), row.size, row.weights.toLocaleString("en"),
        row.origin === null ? "" : make("span", {}, link(row.origin), ` ${percent(row.fork)} sure`), `${row.direction}, ${percent(row.sure)} sure`]));
    byId("lineages").replaceWith(table);
    table.id = "lineages";
    table.querySelectorAll("tbody tr").forEach((row, i) => { row.dataset.number = String(i); });
    byId("notes-section").hidden = !data.notes.length;
    byId("notes").append(...data.notes.map((note) => make("li", { text: note })));
  };

  const find = (text) => {
    const wanted = text.trim();
    if (!wanted) return -1;
    const plain = wanted.toLowerCase();
    const tries = [
      (commit) => plain.length >= 4 && commit.id.startsWith(plain),
      (commit, c) => place(c) === wanted || commit.tags.includes(wanted),
      (commit, c) => lineages[commit.lineage].name === wanted && c === lineages[commit.lineage].first + lineages[commit.lineage].size - 1,
      (commit) => commit.path === wanted,
      (commit) => commit.path.toLowerCase().includes(plain) || commit.message.toLowerCase().includes(plain),
      (commit) => lineages[commit.lineage].name.toLowerCase().startsWith(plain),
    ];
    for (const fits of tries) {
      const found = commits.findIndex(fits);
      if (found >= 0) return found;
    }
    return -1;
  };

  const listen = () => {
    const search = byId("search");
    search.addEventListener("input", () => search.classList.remove("unknown"));
    search.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      const found = find(search.value);
      search.classList.toggle("unknown", found < 0);
      if (found >= 0) choose(found);
      else byId("said").textContent = "no commit fits";
    });
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName)) return;
      const onChart = event.target.classList?.contains("chart");
      const keys = { n: () => move(1), p: () => move(-1), f: nextFinding, "/": () => search.focus() };
      const arrows = { ArrowRight: () => move(1), ArrowLeft: () => move(-1), ArrowDown: () => cross(1), ArrowUp: () => cross(-1) };
      const act = keys[event.key] ?? (onChart ? arrows[event.key] : undefined);
      if (!act) return;
      event.preventDefault();
      act();
    });
    window.addEventListener("hashchange", () => choose(find(location.hash.slice(1)), { quiet: true }));
    const renew = () => {
      queue = queue.then(() => { state.shown = {}; });
      return redraw();
    };
    dark.addEventListener("change", renew);
    let waiting = 0;
    let width = window.innerWidth;
    window.addEventListener("resize", () => {
      if (window.innerWidth === width) return;
      width = window.innerWidth;
      clearTimeout(waiting);
      waiting = setTimeout(renew, 150);
    });
  };

  head();
  listen();
  const asked = location.hash.length > 1 ? find(location.hash.slice(1)) : -1;
  const first = asked >= 0 ? asked : (findings.find((finding) => !finding.ignored)?.c ?? lineages[0].first + lineages[0].size - 1);
  choose(first, { quiet: true });
})();
