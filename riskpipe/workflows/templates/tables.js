"use strict";
// Tables that sort by a column, filter by one that is marked, and search. What is shown stays in the order of the page
// until a column is asked for; rows marked as fixed stay first.
(() => {
  const UNITS = { ms: 1e-3, s: 1, min: 60, B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, k: 1e3, m: 1e6, bn: 1e9, "%": 1 };
  const FEW = 12;
  const said = document.getElementById("said");

  function number(text) {
    const clock = /^(\d+):(\d\d)(?::(\d\d))?/.exec(text);
    if (clock) return clock[3] ? clock[1] * 3600 + clock[2] * 60 + Number(clock[3]) : clock[1] * 60 + Number(clock[2]);
    const plain = /^([−-]?[\d,.]+(?:e[−-]?\d+)?)\s*(\S+)?$/.exec(text);
    return plain ? Number(plain[1].replaceAll(",", "").replaceAll("−", "-")) * (UNITS[plain[2]] ?? 1) : null;
  }
  const text = (row, k) => row.cells[k].textContent.trim();

  function prepare(table) {
    const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
    const terms = { search: "", filters: new Map() };
    let rows = [...body.rows], sorted = null;
    const regular = () => heads.every((head) => head.colSpan === 1) && rows.every((row) => row.cells.length === heads.length);
    if (!regular()) return;

    function show() {
      let hidden = 0;
      for (const row of rows) {
        const fits = row.textContent.toLowerCase().includes(terms.search)
          && [...terms.filters].every(([k, wanted]) => !wanted || text(row, k) === wanted);
        row.hidden = !fits;
        hidden += row.hidden;
      }
      none.hidden = hidden < rows.length || !rows.length;
      if (terms.search || [...terms.filters.values()].some(Boolean)) said.textContent = `${rows.length - hidden} of ${rows.length} rows`;
    }
    function order() {
      if (!sorted) { body.replaceChildren(...rows); return; }
      const [k, sense] = sorted, numeric = heads[k].classList.contains("n");
      const key = (row) => (numeric ? number(text(row, k)) : text(row, k).toLowerCase());
      const fixed = rows.filter((row) => "fixed" in row.dataset), others = rows.filter((row) => !("fixed" in row.dataset));
      const keyed = others.map((row, place) => [key(row), place, row]);
      keyed.sort(([a, i], [b, j]) => {
        if (a === null || b === null) return (a === null) - (b === null) || i - j;
        return sense * (a < b ? -1 : a > b ? 1 : 0) || i - j;
      });
      body.replaceChildren(...fixed, ...keyed.map((each) => each[2]));
    }
    function sortBy(k) {
      const numeric = heads[k].classList.contains("n"), first = numeric ? -1 : 1;
      sorted = !sorted || sorted[0] !== k ? [k, first] : sorted[1] === first ? [k, -first] : null;
      heads.forEach((head, j) => head.setAttribute("aria-sort", sorted && sorted[0] === j ? (sorted[1] > 0 ? "ascending" : "descending") : "none"));
      table.classList.toggle("sorted", sorted !== null);
      order();
    }
    heads.forEach((head, k) => {
      if (!head.textContent.trim()) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sortBy(k));
      head.append(button);
      head.setAttribute("aria-sort", "none");
    });
    const none = document.createElement("p");
    none.className = "note";
    none.hidden = true;
    none.textContent = "No row has that.";
    table.parentElement.after(none);
    body.addEventListener("rows", () => { rows = [...body.rows]; order(); show(); });
    if (rows.length > FEW) table.parentElement.before(tools(table, heads, rows, terms, show));
  }

  function tools(table, heads, rows, terms, show) {
    const box = document.createElement("div"), search = document.createElement("input");
    box.className = "tools";
    search.type = "search";
    search.placeholder = `Search ${rows.length} rows`;
    search.setAttribute("aria-label", `Search the table of ${heads.map((head) => head.textContent.trim()).filter(Boolean).slice(0, 3).join(", ")}`);
    search.addEventListener("input", () => { terms.search = search.value.trim().toLowerCase(); show(); });
    box.append(search);
    heads.forEach((head, k) => {
      if (!("filter" in head.dataset)) return;
      const select = document.createElement("select"), name = head.textContent.trim();
      select.setAttribute("aria-label", `Only ${name}`);
      select.append(new Option(`every ${name}`, ""));
      for (const value of [...new Set(rows.map((row) => text(row, k)))].sort()) select.append(new Option(value, value));
      select.addEventListener("change", () => { terms.filters.set(k, select.value); show(); });
      box.append(select);
    });
    return box;
  }

  document.querySelectorAll("table.data").forEach(prepare);
})();
