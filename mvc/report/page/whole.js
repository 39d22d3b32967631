// What the page says of the whole repository, and what it listens to.
const paint = () => {
  data.colours[dark.matches ? "dark" : "light"].forEach((colour, i) => document.documentElement.style.setProperty(`--lineage-${i}`, colour));
};

const headline = () => {
  const { counts } = data.verdict;
  const of = `of ${many(commits.length, "commit")}`;
  if (counts.fail) return `${counts.fail.toLocaleString("en")} ${of} ${counts.fail === 1 ? "fails" : "fail"} the check.`;
  if (counts.warn) return `Nothing fails; ${counts.warn.toLocaleString("en")} ${of} ${counts.warn === 1 ? "deserves" : "deserve"} a look.`;
  if (counts.pass) return "Nothing abnormal.";
  return "No commit can be judged yet.";
};
const weight = (own) => Math.max(...own.map((finding) => (finding.ignored ? 0 : finding.severity === "fail" ? 2 : 1)));
const bySeverity = ([c, own], [d, other]) => weight(other) - weight(own) || c - d;
const rest = () => {
  const { counts, judged, young, needed } = data.verdict;
  const said = ["fail", "warn", "pass"].filter((word) => counts[word]).map((word) => `${counts[word].toLocaleString("en")} ${word}`);
  if (counts.skip) said.push(`${counts.skip.toLocaleString("en")} not judged${young ? ` (${young === counts.skip ? "" : `${young.toLocaleString("en")} of them `}with fewer than ${needed} checkpoints before ${young === 1 ? "it" : "them"})` : ""}`);
  if (commits.length > judged) said.push(`${(commits.length - judged).toLocaleString("en")} more break no rule as far as the index tells`);
  return `${said.join(", ")}. A commit is judged by what its own lineage's past leads one to expect.`;
};

const head = () => {
  const { name, commits: count, newest } = data.head;
  byId("name").textContent = name;
  byId("summary").textContent = `${many(count, "checkpoint")} in ${many(lineages.length, "lineage")} (training runs, as the weights tell) of ${many(data.head.architectures, "architecture")}; newest ${minute(newest)}`;
  byId("count").textContent = `(${lineages.length.toLocaleString("en")})`;
  byId("verdict").append(
    make("p", { class: "headline" }, badge(data.verdict.verdict), headline()),
    make("p", { class: "quiet", text: rest() }),
    make("ul", { class: "findings" }, ...[...findingsOf].sort(bySeverity).map(([c, own]) =>
      make("li", {}, link(c), " ", make("code", { text: commits[c].path }), make("ul", {}, ...own.map(findingItem))))));
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
  const ordered = [...lineages].sort((a, b) => severity(b) - severity(a));
  const table = grid([["lineage"], ["check"], ["commits", "number"], ["weights", "number"], ["forked from"], ["direction read from"]],
    ordered.map((row) => [link(row.first + row.size - 1, row.name), worst(row), row.size, row.weights.toLocaleString("en"),
      row.origin === null ? "" : make("span", {}, link(row.origin), ` ${percent(row.fork)} sure`),
      row.direction === "undecided" ? "undecided" : `${row.direction}, ${percent(row.sure)} sure`]));
  table.prepend(make("caption", { class: "unseen", text: "Lineages" }));
  byId("lineages").replaceWith(table);
  table.id = "lineages";
  table.querySelectorAll("tbody tr").forEach((row, i) => { row.dataset.number = String(lineages.indexOf(ordered[i])); });
  byId("steps").addEventListener("toggle", fillSteps);
  byId("notes-section").hidden = !data.notes.length;
  byId("notes").append(...data.notes.map((note) => make("li", { text: note })));
};

// where a lineage first leaves its way, or what was said of its commits; those that fail stand first
const against = new Map();
for (const finding of findings.filter((one) => !one.ignored)) {
  const lineage = lineages[commits[finding.c].lineage];
  if (!against.has(lineage) || (finding.severity === "fail" && against.get(lineage).severity !== "fail")) against.set(lineage, finding);
}
const severity = (lineage) => ["warn", "fail"].indexOf(against.get(lineage)?.severity);
const worst = (lineage) => {
  const found = against.get(lineage);
  if (found) return make("span", {}, make("strong", { class: found.severity, text: found.severity }), " ", link(found.c, `@${commits[found.c].position}`, false));
  return Array.from({ length: lineage.size }, (_, i) => commits[lineage.first + i].verdict).includes("pass") ? "pass" : "";
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
  const told = (known) => {
    search.classList.toggle("unknown", !known);
    search.setAttribute("aria-invalid", String(!known));
    byId("unknown").hidden = known;
  };
  search.addEventListener("input", () => told(true));
  search.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      search.value = "";
      told(true);
      search.blur();
    }
    if (event.key !== "Enter") return;
    const found = find(search.value);
    told(found >= 0);
    if (found >= 0) choose(found);
    else byId("said").textContent = "no commit fits";
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName)) return;
    const onChart = event.target.classList?.contains("chart");
    const keys = { n: () => move(1), p: () => move(-1), f: nextFinding, "/": () => search.focus(), Escape: () => tip(null) };
    const arrows = { ArrowRight: () => move(1), ArrowLeft: () => move(-1), ArrowDown: () => cross(1), ArrowUp: () => cross(-1), Home: () => move(-Infinity), End: () => move(Infinity) };
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
  dark.addEventListener("change", () => {
    paint();
    return renew();
  });
  let waiting = 0;
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    clearTimeout(waiting);
    waiting = setTimeout(renew, 150);
  });
};

paint();
head();
listen();
const counted = findings.filter((finding) => !finding.ignored);
const asked = location.hash.length > 1 ? find(location.hash.slice(1)) : -1;
const first = asked >= 0 ? asked : ((counted.find((finding) => finding.severity === "fail") ?? counted[0])?.c ?? lineages[0].first + lineages[0].size - 1);
choose(first, { quiet: true });
