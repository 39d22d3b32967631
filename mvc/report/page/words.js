// What all parts of the page stand on: the data, words for figures, and the one way of making elements.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const dark = window.matchMedia("screen and (prefers-color-scheme: dark)");

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
const change = (value) => (value === null ? "" : `${number(100 * value, 3)} %`);
const minute = (time) => `${time.slice(0, 16).replace("T", " ")} UTC`;
const badge = (verdict) => make("span", { class: `badge ${verdict}`, text: verdict });
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
  found.style.background = `var(--lineage-${lineages[lineage].colour})`;
  return found;
};
const link = (c, text, dotted = true) => make("button", { class: "plain", type: "button", onclick: () => choose(c) }, dotted ? dot(commits[c].lineage) : null, text ?? place(c));
const bar = (share, child) => {
  const fill = make("i", share < 0 ? { class: "back" } : {});
  fill.style.width = `${Math.min(100, 100 * Math.abs(share))}%`;
  return make("div", { class: "bar" }, fill, child);
};
const grid = (heads, body) =>
  make("table", {}, make("thead", {}, make("tr", {}, ...heads.map(([text, kind]) => make("th", { scope: "col", ...(kind ? { class: kind } : {}) }, text)))),
    make("tbody", {}, ...body.map((cells) => make("tr", {}, ...cells.map((cell, i) => make("td", heads[i][1] ? { class: heads[i][1] } : {}, cell))))));
