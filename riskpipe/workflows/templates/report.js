"use strict";
// What the report's charts and tables do. Names come from trades and books: they become text, never markup.
(() => {
  const data = JSON.parse(document.getElementById("charts").textContent);
  const said = document.getElementById("said");
  const LIGHT = { ink: "#1b2330", soft: "#5d6878", line: "#dfe3e9", panel: "#ffffff", up: "#17794a", down: "#b3261e",
    bar: "#4a78d6", total: "#5d6878", adds: ["#f6d5d2", "#b3261e"], hedges: ["#cfe9da", "#17794a"],
    heat: ["#b3261e", "#f6d5d2", "#ffffff", "#cfe0fb", "#2457c5"], series: ["#2457c5", "#d9822b", "#17794a", "#8e44ad",
      "#c0392b", "#16a2b8", "#7f6a3f", "#d65f9b", "#5d6878", "#93a324", "#a8b3c2"] };
  const DARK = { ink: "#e4e8ee", soft: "#98a3b3", line: "#2c3542", panel: "#191f28", up: "#4fb07e", down: "#e5695f",
    bar: "#6f9bf0", total: "#98a3b3", adds: ["#56302e", "#d2554b"], hedges: ["#244637", "#3f9a6c"],
    heat: ["#e5695f", "#56302e", "#191f28", "#263a5f", "#7aa2f7"], series: ["#7aa2f7", "#e5a158", "#5fbf8d", "#b884d6",
      "#e5695f", "#4fc3d6", "#b7a06c", "#ea8fbd", "#98a3b3", "#bccb5c", "#5f6b7a"] };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  // By name: the width of a text is measured before it is drawn.
  const family = getComputedStyle(document.body).fontFamily;
  let paper = false;
  const colours = () => (dark.matches && !paper ? DARK : LIGHT);

  // -- numbers and words

  function money(value) {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    const digits = size >= 1 || size === 0 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 2 };
    return value.toLocaleString("en-GB", digits).replace("-", "−");
  }
  function short(value) {
    for (const [size, unit] of [[1e9, "bn"], [1e6, "m"], [1e3, "k"]]) {
      if (Math.abs(value) >= size) return Number((value / size).toPrecision(3)).toString().replace("-", "−") + unit;
    }
    return Number(value.toPrecision(3)).toString().replace("-", "−");
  }
  function element(tag, text, attributes = {}) {
    const found = document.createElement(tag);
    if (text !== undefined) found.textContent = text;
    for (const [name, value] of Object.entries(attributes)) found.setAttribute(name, value);
    return found;
  }
  function tip(title, ...lines) {
    const box = element("div");
    box.append(element("b", title));
    for (const line of lines) box.append(element("div", line));
    return box;
  }
  const tooltip = (lines) => ({ trigger: "item", confine: true, backgroundColor: colours().panel,
    borderColor: colours().line, textStyle: { color: colours().ink, fontSize: 12 }, formatter: lines });

  // -- charts by their type: data -> what ECharts is told

  const axis = () => ({ axisLine: { lineStyle: { color: colours().line } }, axisTick: { show: false },
    axisLabel: { color: colours().soft, fontSize: 11 }, splitLine: { lineStyle: { color: colours().line } } });
  const values = (more = {}) => ({ ...axis(), type: "value",
    axisLabel: { color: colours().soft, fontSize: 11, formatter: short, hideOverlap: true }, ...more });
  const names = (given, more = {}) => ({ ...axis(), type: "category", data: given, splitLine: { show: false },
    axisLabel: { color: colours().soft, fontSize: 11, overflow: "truncate", width: 130 }, ...more });
  const narrow = () => window.innerWidth < 640 && !paper;
  const grid = (more = {}) => ({ left: 8, right: 16, top: 12, bottom: 6, containLabel: true, ...more });
  const sign = (value) => (value < 0 ? colours().down : colours().bar);

  const DRAWN = {
    vector: (d) => ({
      grid: grid({ top: 22 }), tooltip: tooltip((p) => tip(p.name, money(d.values[p.dataIndex]))),
      xAxis: names(d.names), yAxis: values(),
      series: [{ type: "bar", barCategoryGap: "15%", large: false,
        data: d.values.map((value, k) => ({ value, itemStyle: { color: d.worst.includes(k) ? colours().down : colours().bar } })),
        markLine: marks(d.marks.slice(0, 1), (mark) => ({ yAxis: -mark.value })) }],
    }),
    histogram: (d) => ({
      grid: grid({ top: 26 }),
      tooltip: tooltip((p) => tip(`${money(d.edges[p.dataIndex])} to ${money(d.edges[p.dataIndex + 1])}`, `${d.counts[p.dataIndex]} days`)),
      xAxis: [names(d.edges.slice(1).map((edge, k) => short((edge + d.edges[k]) / 2))),
        { type: "value", show: false, min: d.edges[0], max: d.edges[d.edges.length - 1] }],
      yAxis: values({ minInterval: 1, axisLabel: { color: colours().soft, fontSize: 11 } }),
      series: [{ type: "bar", barCategoryGap: "6%", data: d.counts.map((value, k) => ({ value,
        itemStyle: { color: d.marks.length && d.edges[k + 1] <= -d.marks[0].value ? colours().down : colours().bar } })) },
      { type: "bar", xAxisIndex: 1, data: [], markLine: marks(d.marks, (mark) => ({ xAxis: -mark.value })) }],
    }),
    bars: (d) => ({
      grid: grid({ right: 60 }), tooltip: tooltip((p) => tip(p.name, money(p.value))),
      xAxis: values(), yAxis: names(d.names, { inverse: true, axisLabel: label(narrow() ? 110 : 190) }),
      series: [{ type: "bar", barMaxWidth: 16, data: d.values.map((value) => ({ value, itemStyle: { color: sign(value) },
        label: { position: value < 0 ? "left" : "right" } })) }],
    }),
    grid: (d) => {
      const most = Math.max(1e-12, ...d.cells.map((cell) => Math.abs(cell[2])));
      return {
        grid: grid({ top: 6, bottom: 34 }), tooltip: tooltip((p) => tip(`${d.rows[p.value[1]]}, ${d.columns[p.value[0]]}`, money(p.value[2]))),
        xAxis: names(d.columns, { position: "top" }), yAxis: names(d.rows, { inverse: true, axisLabel: label(narrow() ? 100 : 190) }),
        visualMap: { min: -most, max: most, calculable: false, orient: "horizontal", left: "center", bottom: 0, itemHeight: 120,
          itemWidth: 10, text: [short(most), short(-most)], textStyle: { color: colours().soft, fontSize: 11 }, inRange: { color: colours().heat } },
        series: [{ type: "heatmap", data: d.cells, itemStyle: { borderColor: colours().panel, borderWidth: 1 },
          label: { show: !narrow() && d.columns.length <= 18, fontSize: 10, color: colours().ink, formatter: (p) => short(p.value[2]) },
          emphasis: { itemStyle: { borderColor: colours().ink } } }],
      };
    },
    stress: (d) => ({
      grid: grid({ top: 40 }), legend: { type: "plain", top: 0, textStyle: { color: colours().soft, fontSize: 11 }, itemWidth: 12, itemHeight: 10 },
      tooltip: tooltip((p) => tip(p.name, `${p.seriesName} ${money(p.value)}`, `all books ${money(d.totals[p.dataIndex])}`)),
      xAxis: values(), yAxis: names(d.names, { inverse: true, axisLabel: label(narrow() ? 100 : 190) }),
      series: [...d.series.map((each, k) => ({ type: "bar", stack: "books", name: each.name, data: each.values, barMaxWidth: 18,
        itemStyle: { color: colours().series[k % colours().series.length] } })),
      { type: "bar", name: "all books", data: d.totals, barMaxWidth: 5, barGap: "0%", itemStyle: { color: colours().ink } }],
    }),
    waterfall: (d) => {
      const bars = [...(d.start ? [[d.start[0], 0, d.start[1], true]] : [])];
      let at = d.start ? d.start[1] : 0;
      d.names.forEach((name, k) => { bars.push([name, at, at + d.values[k], false]); at += d.values[k]; });
      bars.push([d.end[0], 0, d.end[1], true]);
      // A change is small beside the level that it is added to: the axis begins near what moves.
      const ends = bars.flatMap((bar) => (bar[3] ? [bar[2]] : [bar[1], bar[2]]));
      const low = Math.min(...ends), high = Math.max(...ends), room = 0.08 * (high - low || 1);
      const floor = d.start && (low > 0 || high < 0) ? (low > 0 ? low - room : high + room) : 0;
      const bound = floor > 0 ? { min: floor } : floor < 0 ? { max: floor } : {};
      const colour = (bar) => (bar[3] ? colours().total : bar[2] < bar[1] ? colours().down : colours().up);
      const part = (low, high) => ({ type: "bar", stack: low, barMaxWidth: 46, data: high });
      const split = bars.map((bar) => [bar[3] && floor ? floor : bar[1], bar[2]].sort((a, b) => a - b));
      const above = split.map(([a, b]) => Math.max(b, 0) - Math.max(a, 0)), below = split.map(([a, b]) => Math.min(a, 0) - Math.min(b, 0));
      const clear = { itemStyle: { color: "transparent" }, silent: true, tooltip: { show: false } };
      const shown = (list) => list.map((value, k) => ({ value, itemStyle: { color: colour(bars[k]) } }));
      return {
        grid: grid({ top: 24 }),
        tooltip: tooltip((p) => { const bar = bars[p.dataIndex]; return tip(bar[0], money(bar[3] ? bar[2] : bar[2] - bar[1])); }),
        xAxis: names(bars.map((bar) => bar[0]), { axisLabel: { ...axis().axisLabel, interval: 0, rotate: narrow() || bars.length > 12 ? 40 : 0 } }),
        yAxis: values(bound),
        series: [{ ...part("up", split.map(([a]) => Math.max(a, 0))), ...clear },
          { ...part("up", shown(above)), label: { show: !narrow(), position: "top", fontSize: 10, color: colours().soft,
            formatter: (p) => (bars[p.dataIndex][3] ? short(bars[p.dataIndex][2]) : short(bars[p.dataIndex][2] - bars[p.dataIndex][1])) } },
          { ...part("up", split.map(([, b]) => Math.min(b, 0))), ...clear }, { ...part("up", shown(below)) }],
      };
    },
  };
  const label = (width) => ({ color: colours().soft, fontSize: 11, overflow: "truncate", width });
  const marks = (given, place) => ({ symbol: "none", silent: true, data: given.map((mark) => ({ ...place(mark), name: mark.name })),
    lineStyle: { color: colours().ink, type: "dashed" }, label: { color: colours().ink, fontSize: 10, formatter: (p) => p.name,
      position: "insideEndTop" } });

  // -- the tree map and its table: one book at a time

  const map = { path: [] };
  const here = () => map.path.reduce((node, k) => node.c[k], data.map);
  const trail = () => map.path.reduce((found, k) => [...found, found[found.length - 1].c[k]], [data.map]);

  DRAWN.map = () => {
    const node = here(), most = Math.max(...node.c.map((each) => Math.abs(each.v)), 1e-12);
    const colour = (value) => {
      const [faint, strong] = value < 0 ? colours().hedges : colours().adds;
      return mixed(faint, strong, Math.sqrt(Math.abs(value) / most));
    };
    return {
      tooltip: tooltip((p) => {
        const each = node.c[p.data && p.data.place]; if (!each) return "";
        return tip(each.n, `part ${money(each.v)}, ${share(each.v)} of all books`, ...(each.f === undefined ? [] : [`its own ${money(each.f)}`]),
          ...(each.k === "t" ? [] : [`${each.t.toLocaleString("en-GB")} trades`]));
      }),
      series: [{ type: "treemap", roam: false, nodeClick: false, breadcrumb: { show: false }, left: 0, right: 0, top: 0, bottom: 0,
        animation: false, itemStyle: { borderColor: colours().panel, borderWidth: 2, gapWidth: 2 },
        label: { fontSize: 12, lineHeight: 16, formatter: (p) => `${p.name}\n${short(node.c[p.data.place].v)}`, overflow: "truncate" },
        data: node.c.map((each, place) => ({ name: each.n, value: Math.max(Math.abs(each.v), most / 500), place,
          itemStyle: { color: colour(each.v) },
          label: { color: Math.abs(each.v) / most > 0.2 ? "#ffffff" : colours().ink } })) }],
    };
  };
  const share = (value) => (data.map.v ? `${Math.round((100 * value) / data.map.v)} %`.replace("-", "−") : "–");
  function mixed(from, to, part) {
    const at = (text, k) => parseInt(text.slice(1 + 2 * k, 3 + 2 * k), 16);
    return `rgb(${[0, 1, 2].map((k) => Math.round(at(from, k) + (at(to, k) - at(from, k)) * part)).join(",")})`;
  }
  function go(path, from) {
    map.path = path;
    showMap();
    draw(document.querySelector('[data-chart="map"]'));
    const node = here();
    said.textContent = `${node.n}: ${node.c.length} parts`;
    if (from) (document.querySelector(".map tbody button") || document.querySelector(".crumbs button")).focus();
  }
  function showMap() {
    const box = document.querySelector(".map"), crumbs = box.querySelector(".crumbs"), body = box.querySelector("tbody");
    const nodes = trail();
    crumbs.replaceChildren(...nodes.map((node, k) => {
      const button = element("button", node.n, { type: "button", ...(k === nodes.length - 1 ? { "aria-current": "true" } : {}) });
      button.addEventListener("click", () => go(map.path.slice(0, k), true));
      return button;
    }));
    body.replaceChildren(...here().c.map((node, k) => {
      const row = element("tr"), name = element("th", undefined, { scope: "row" });
      if (node.c) {
        const button = element("button", node.n, { type: "button", class: "down" });
        button.addEventListener("click", () => go([...map.path, k], true));
        name.append(button);
      } else name.textContent = node.n;
      row.append(name, cell(money(node.v), node.v < 0), cell(share(node.v)), cell(node.f === undefined ? "–" : money(node.f)),
        cell(node.k === "t" ? "" : node.t.toLocaleString("en-GB")));
      return row;
    }));
    body.dispatchEvent(new CustomEvent("rows"));
  }
  const cell = (text, negative) => element("td", text, { class: negative ? "n neg" : "n" });

  // -- drawing

  const plots = new Map();
  function draw(place) {
    const name = place.dataset.chart, d = data[name];
    if (!d) { place.remove(); return; }
    const option = DRAWN[name === "map" ? "map" : d.type](d);
    let plot = plots.get(place);
    if (!plot) {
      plot = echarts.init(place, null, { renderer: "svg", width: paper ? 700 : undefined });
      plots.set(place, plot);
      if (name === "map") plot.on("click", (p) => {
        const k = p.data && p.data.place;
        if (k !== undefined && here().c[k].c) go([...map.path, k]);
      });
    }
    plot.setOption({ animation: !still.matches && !paper, animationDuration: 300, textStyle: { fontFamily: family }, ...option }, true);
  }
  const places = () => [...document.querySelectorAll("[data-chart]")];
  const redraw = () => places().forEach(draw);
  document.documentElement.classList.add("scripted");
  if (data.map) showMap();
  redraw();
  dark.addEventListener("change", redraw);
  let waiting;
  window.addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(() => {
    plots.forEach((plot) => plot.resize()); redraw(); }, 120); });
  // Paper is light and about 700 pixels wide, and shows what a screen folds away.
  window.addEventListener("beforeprint", () => { paper = true; plots.forEach((plot) => plot.resize({ width: 700 })); redraw(); });
  window.addEventListener("afterprint", () => { paper = false; plots.forEach((plot) => plot.resize({ width: "auto" })); redraw(); });
})();
