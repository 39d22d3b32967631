// The chosen commit: marking it everywhere, going on to another, and its page.
const setScope = (name, pictures) => {
  const lineage = commits[state.commit].lineage;
  const has = (picture) => picture && picture.lineages.includes(lineage);
  if (!has(pictures[state[name]])) {
    state[name] = pictures.findIndex(has);
  }
  byId(`${name}-scope`).value = String(state[name]);
  byId(`${name}-note`).textContent = pictures[state[name]]?.note ?? "No other commit has the same architecture and other weights.";
};

const spoken = (c) => {
  const { id, distance, angle, verdict } = commits[c];
  const rules = (findingsOf.get(c) ?? []).map((finding) => finding.name.replaceAll("-", " "));
  return [place(c), `commit ${short(id)}`, distance === null ? "" : `step length ${number(distance, 3)}`, angle === null ? "" : `turn ${number(angle, 3)} degrees`, verdict, ...rules].filter(Boolean).join(", ");
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
  fillSteps();
  page(c);
  if (!quiet) byId("said").textContent = spoken(c);
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
  const to = Math.min(Math.max(state.commit + by, lineage.first), lineage.first + lineage.size - 1);
  if (to !== state.commit) choose(to);
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

// a score is −log10 of the share of healthy steps that look at least as bad
const odds = (score) => (score < 0.3 ? "as healthy steps are" : `as rare as 1 in ${Number((10 ** score).toPrecision(2)).toLocaleString("en")} healthy steps`);
const evidence = {
  cosine: (value) => ["kinship (cosine)", number(value)],
  sigmas: (value) => ["beyond chance by", `${number(value, 3)} standard deviations (6 make kin)`],
  order_agreement: (value) => ["agree on its place", `${percent(value)} of the weights' parts`],
  source: (value) => ["order", { weights: "read from weights", declared: "declared", undecided: "known, but not which end came first" }[value] ?? words(value)],
};

const words = (value) => {
  if (typeof value === "number") return number(value);
  if (Array.isArray(value)) return value.map(words).join(", ");
  if (value && typeof value === "object") return Object.entries(value).map(([key, item]) => `${key} ${words(item)}`).join(", ");
  return String(value);
};

const findingItem = (finding) =>
  make("li", {},
    make("strong", { class: finding.ignored ? "ignored" : finding.severity }, `${finding.ignored ? "ignored" : finding.severity} ${finding.rule} ${finding.name}`), ": ",
    finding.message, finding.tensor ? " in " : null, finding.tensor ? make("code", { text: finding.tensor }) : null,
    finding.ignore ? ` (ignored: ${finding.ignore.reason})` : null);

const page = (c) => {
  const commit = commits[c];
  const lineage = lineages[commit.lineage];
  const extra = data.pages[c];
  const parts = [
    make("h2", {}, dot(commit.lineage), place(c)),
    make("div", { class: "moves" },
      make("button", { type: "button", "data-move": "before", onclick: () => move(-1) }, "← before"),
      make("button", { type: "button", "data-move": "after", onclick: () => move(1) }, "after →")),
    facts([
      ["commit", make("code", { text: commit.id })],
      ["file", make("code", { text: commit.path })],
      ["message", commit.message],
      ["time", make("time", { datetime: commit.time, title: commit.time, text: minute(commit.time) })],
      ["step", commit.step],
      ["run", commit.run],
      ["tags", commit.tags.join(", ")],
      ["check", commit.verdict ? make("span", {}, badge(commit.verdict), commit.score === null ? "" : ` score ${commit.score}: ${odds(commit.score)}`) : commit.flags.length ? `breaks ${commit.flags.join(", ")}` : "breaks no rule by the index"],
      ["", commit.verdict === "skip" ? commit.reason : null],
    ]),
    make("h3", { text: "Why it stands here" }),
    facts([
      ["relation", `${commit.relation}, ${percent(commit.confidence)} sure`],
      [commit.relation === "forks" ? "forked from" : "after", commit.parent === null ? null : link(commit.parent)],
      ["step length", number(commit.distance)],
      ["turning angle", commit.angle === null ? null : `${number(commit.angle, 3)}°`],
      ...Object.entries(commit.evidence).filter(([key]) => lineage.size > 1 || !["order_agreement", "source"].includes(key)).map(([key, value]) => (evidence[key] ? evidence[key](value) : [key.replaceAll("_", " "), numbers.has(value) ? link(numbers.get(value)) : words(value)])),
    ]),
  ];
  if (commit.mixture.length) {
    parts.push(make("h3", { text: "Averaged of" }), grid([["commit"], ["weight", "number"]], commit.mixture.map(([source, weight]) => [bar(weight, link(source)), percent(weight)])));
  }
  const own = findingsOf.get(c) ?? [];
  const broken = [...new Set(own.map((finding) => finding.rule))];
  if (own.length) {
    parts.push(make("h3", { text: "Findings" }), make("ul", { class: "findings" }, ...own.map(findingItem)),
      ...[...new Set(broken.map((rule) => data.verdict.remedies[rule]))].map((text) => make("p", {}, make("strong", { text: "What to do: " }), text)));
  }
  parts.push(...changes(c, extra), ...origins(c, extra));
  const before = extra?.before ?? commit.parent;
  parts.push(make("h3", { text: "Go on with" }),
    ...(before === null || before === undefined ? [] : [make("p", {}, make("code", { text: `mvc diff ${short(commits[before].id)} ${short(commit.id)}` }))]),
    make("p", {}, make("code", { text: `mvc blame ${short(commit.id)}` })),
    ...broken.map((rule) => make("p", {}, make("code", { text: `mvc explain ${rule}` }))),
    make("p", { class: "quiet", text: `${many(lineage.weights, "weight")} in ${many(lineage.tensors, "tensor")}` }));
  const aside = byId("page");
  // whoever came here by a key goes on from here: the focus is not lost with the button that had it
  const focused = aside.contains(document.activeElement) ? document.activeElement.dataset.move : null;
  aside.replaceChildren(...parts);
  aside.scrollTop = 0;
  if (focused !== null) (aside.querySelector(`[data-move=${focused}]`) ?? aside).focus();
};

// the drift of the lineage as a table, for whoever sees no charts or wants the figures
const fillSteps = () => {
  const details = byId("steps");
  const lineage = commits[state.commit].lineage;
  const picture = data.drift[lineage];
  details.hidden = !picture;
  if (!details.open || !picture) return;
  const filled = details.querySelector("table");
  if (Number(filled.dataset.number) !== lineage) {
    const [length, turn] = [rows(picture.tables.length), rows(picture.tables.turn)];
    const band = ({ low, high }, unit) => (low === null ? "" : `${number(low, 3)}${unit} to ${number(high, 3)}${unit}`);
    const table = grid([["commit"], ["step length", "number"], ["expected", "number"], ["turn", "number"], ["expected", "number"], ["check"]],
      length.map((row, i) => [link(row.c), number(row.y), band(row, ""), turn[i].y === null ? "" : `${number(turn[i].y, 3)}°`, band(turn[i], "°"), (findingsOf.get(row.c) ?? []).map((finding) => finding.rule).join(", ") || (commits[row.c].verdict ?? commits[row.c].flags.join(", "))]));
    table.dataset.number = String(lineage);
    filled.replaceWith(table);
  }
  details.querySelectorAll("tbody tr").forEach((row, i) => { row.className = picture.tables.length.columns.c[i] === state.commit ? "chosen" : ""; });
};

const changes = (c, extra) => {
  if (extra?.diff) {
    const found = rows(extra.diff);
    const from = extra.before === null ? "the one before" : place(extra.before);
    return [
      make("h3", { text: `What changed since ${from}` }),
      make("p", { class: "quiet", text: "Bars: share of the whole change. Change: beside the tensor's size. Values: how many are not what they were." }),
      grid([["tensor"], ["change", "number"], ["cosine", "number"], ["values", "number"]],
        found.map((row) => [bar(row.share, make("span", { text: row.name })), change(row.relative), number(row.cosine, 4), percent(row.numel ? row.changed / row.numel : 0)])),
    ];
  }
  const picture = data.layers[commits[c].lineage];
  const column = picture ? picture.tables.cells.across.columns.c.indexOf(c) : -1;
  if (column < 0) return [];
  const { down, values } = picture.tables.cells;
  const found = down.columns.layer.map((name, i) => [name, values[i][column]]).sort((a, b) => (b[1] ?? -99) - (a[1] ?? -99)).slice(0, 30);
  return [
    make("h3", { text: "What changed, by layer" }),
    grid([["layer"], ["change", "number"]], found.map(([name, value]) => [bar(value === null ? 0 : Math.min(1, 10 ** value), make("span", { text: name })), value === null ? "unchanged" : change(10 ** value)])),
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
    grid([["tensor"], ["commit"], ["from root", "number"]], tensors.map((row) => [row.name, link(row.c), number(row.displacement, 3)])),
  ];
};
