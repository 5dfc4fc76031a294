"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const controls = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;

  // Text from prompts, data and models is only ever set as text, with its controls spelt out.
  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text === undefined) return made;
    let plain = "";
    for (const letter of text) {
      if (!controls.test(letter)) { plain += letter; continue; }
      const code = letter.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
      const mark = document.createElement("span");
      mark.className = "control";
      mark.textContent = "U+" + code;
      made.append(plain, mark);
      plain = "";
    }
    made.append(plain);
    return made;
  };

  const labelled = (name, className, text) => {
    const line = element("p", className);
    const value = element(className === "verdict" ? "b" : "bdi", "", text);
    value.dir = "auto";
    if (name) line.append(name + ": ");
    line.append(value);
    return line;
  };

  const failure = (method, [index, answer]) => {
    const item = element("li");
    const example = data.examples[index];
    item.append(element("p", "field", method + ", example " + (data.names[index] ?? index)));
    if (example) {
      const names = Object.keys(example.fields);
      for (const name of names) {
        item.append(labelled(names.length > 1 ? name : "", "", example.fields[name]));
      }
      item.append(labelled("right", "verdict", example.gold));
    }
    if (data.answered) {
      item.append(answer === null ? element("p", "verdict", "no answer could be read")
        : labelled("answered", "verdict", answer));
    }
    return item;
  };

  const table = document.getElementById("table");
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const rows = [...body.rows].map((row) => ({
    row,
    text: row.querySelector("pre").textContent.toLowerCase(),
    values: [...row.cells].map((cell) => cell.textContent),
  }));

  table.addEventListener("toggle", (event) => {
    const details = event.target;
    if (!details.open || details.querySelector("ul")) return;
    const list = element("ul");
    for (const [method, found] of Object.entries(data.failures[details.dataset.id])) {
      const column = heads.findIndex((head) => head.dataset.name === method);
      for (const pair of found) {
        const item = failure(method, pair);
        item.style.setProperty("--c", details.closest("tr").cells[column].style.getPropertyValue("--c"));
        list.append(item);
      }
    }
    if (!list.childElementCount) list.append(element("li", "", "All examples are right under this prompt."));
    details.append(list);
  }, true);

  heads.forEach((head, column) => {
    const button = element("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.dataset.name = button.textContent;
    button.addEventListener("click", () => {
      const direction = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
      const compare = head.className === "text" ? (a, b) => a.localeCompare(b)
        : (a, b) => (isNaN(parseFloat(a)) - isNaN(parseFloat(b))) || parseFloat(a) - parseFloat(b);
      rows.sort((a, b) => direction * compare(a.values[column], b.values[column]));
      body.append(...rows.map(({ row }) => row));
    });
  });

  const search = document.getElementById("search");
  const count = document.getElementById("count");
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { row, text } of rows) {
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    count.textContent = shown + " of " + rows.length;
  };
  search.addEventListener("input", filter);
  search.closest("p").hidden = false;
  filter();

  const theme = document.getElementById("theme");
  const dark = () => document.documentElement.dataset.theme === "dark"
    || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  const name = () => { theme.textContent = dark() ? "Light" : "Dark"; };
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    name();
  });
  theme.hidden = false;
  name();
})();
