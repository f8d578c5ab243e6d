// The page: listings that light up together, steps, and numbers that can be edited.
"use strict";

(() => {
  const data = evaluator.revived(JSON.parse(document.getElementById("data").textContent));
  const byId = (id) => document.getElementById(id);
  const MOST_IN_A_ROW = 4;

  function element(tag, properties = {}, ...children) {
    const { look, attributes = {}, ...others } = properties;
    const node = Object.assign(document.createElement(tag), others);
    if (look) node.className = look;
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  const { SPECIAL } = evaluator;

  // As Python's "%.4g".
  function short(x) {
    if (typeof x === "string") return x;
    if (Number.isNaN(x)) return "nan";
    if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
    if (x === 0) return "0";
    const size = Math.floor(Math.log10(Math.abs(Number(x.toPrecision(4)))));
    if (size >= -4 && size < 4) return String(Number(x.toPrecision(4)));
    const [digits, exponent] = x.toExponential(3).split("e");
    return `${Number(digits)}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
  }

  function shown(x, dtype) {
    if (dtype === "bool") return x ? "True" : "False";
    return dtype.includes("int") ? String(x) : short(x);
  }

  // A number as it is typed; with six digits.
  function typed(x, dtype) {
    return dtype.includes("float") && Number.isFinite(x) ? String(Number(x.toPrecision(6))) : shown(x, dtype);
  }

  const typeOf = ({ shape, dtype }) => (shape.length ? `${dtype}[${shape.join(", ")}]` : dtype);

  // In one line.
  function brief(value) {
    if (!value) return "0";
    if (!value.data) return value.about.join(", ");
    const items = value.data.slice(0, MOST_IN_A_ROW).map((x) => shown(x, value.dtype));
    if (!value.shape.length) return items[0];
    return `[${items.join(" ")}${value.data.length > MOST_IN_A_ROW ? " …" : ""}]`;
  }

  function cell(x, text, top) {
    const strength = typeof x === "number" && Number.isFinite(x) && top ? Math.abs(x) / top : 0;
    const node = element("td", { look: x < 0 ? "below" : "above", textContent: text });
    node.style.setProperty("--strength", strength.toFixed(3));
    return node;
  }

  function table(rows, text, look = "") {
    const sizes = rows.flat().filter((x) => Number.isFinite(x)).map(Math.abs);
    const top = sizes.reduce((a, b) => Math.max(a, b), 0);
    return element("div", { look: "scroll" }, element("table", { look }, element("tbody", {},
      ...rows.map((row) => element("tr", {}, ...row.map((x) => cell(x, text(x), top)))))));
  }

  const rowsOf = (flat, columns) =>
    Array.from({ length: columns ? flat.length / columns : 0 }, (_, i) => flat.slice(i * columns, (i + 1) * columns));

  // In full: a number, a table, or what a large array is about and a picture of it.
  function detailed(value) {
    if (!value) return element("div", { look: "big", textContent: "0: nothing depends on it" });
    if (!value.data) {
      const picture = table(value.heat, () => "", "heat");
      picture.setAttribute("role", "img");
      picture.setAttribute("aria-label", "a picture of its elements");
      return element("div", {}, element("div", { textContent: value.about.join(", ") }), picture);
    }
    if (!value.shape.length) return element("div", { look: "big", textContent: brief(value) });
    if (!value.data.length) return element("div", { textContent: "no elements" });
    return table(rowsOf(value.data, value.shape.at(-1)), (x) => shown(x, value.dtype));
  }

  // Listings

  const lines = []; // of all listings: {node, code, place, line, pane, ...}
  const programLines = [];
  const gradientLines = [];

  function listing(title, entries, about) {
    const pane = element("div", {
      look: "listing", tabIndex: 0,
      attributes: { role: "listbox", "aria-label": title },
    });
    const own = entries.map((entry) => {
      const place = data.places[entry.place];
      const gutter = element("span", { look: "gutter", textContent: entry.number ?? place?.number ?? "" });
      const text = entry.text.trimStart();
      const indent = entry.text.length - text.length;
      const code = element("span", { look: "code", textContent: text });
      code.style.setProperty("--indent", indent);
      const node = element("div", {
        look: "line", id: `line${lines.length}`, attributes: { role: "option", "aria-selected": "false" },
      }, gutter, code);
      if (place) node.title = place.short + (entry.scope ? ` in ${entry.scope}` : "");
      const line = { ...entry, text, indent, node, gutter, code, pane, line: entry.line ?? place?.line };
      node.addEventListener("mouseenter", () => light(line));
      node.addEventListener("click", () => choose(line));
      lines.push(line);
      pane.append(node);
      return line;
    });
    pane.addEventListener("mouseleave", () => light(pinned ?? currentLine()));
    let active = -1;
    pane.addEventListener("keydown", (event) => {
      const moves = { ArrowDown: 1, ArrowUp: -1 };
      if (event.key in moves) {
        own[active]?.node.classList.remove("active");
        active = Math.min(Math.max(active + moves[event.key], 0), own.length - 1);
        own[active].node.classList.add("active");
        pane.setAttribute("aria-activedescendant", own[active].node.id);
        reveal(own[active]);
        light(own[active]);
      } else if (event.key === "Enter" || event.key === " ") {
        if (own[active]) choose(own[active]);
      } else return;
      event.preventDefault();
    });
    const section = element("section", {}, element("h2", { textContent: title }));
    if (about) section.append(element("p", { look: "hint", textContent: about }));
    if (own.length) section.append(pane);
    return [section, own];
  }

  function reveal({ node, pane }) {
    const above = node.offsetTop - pane.scrollTop;
    if (above < 0 || above + node.offsetHeight > pane.clientHeight)
      pane.scrollTop = node.offsetTop - Math.max(0, (pane.clientHeight - node.offsetHeight) / 2);
  }

  // The lines of the gradient's Program where what is shown on the way back is computed.
  function writtenLines() {
    const step = stepAt(position);
    if (step === null || position <= count) return [];
    const written = data.steps[step].written ?? [];
    return gradientLines.filter((line) => line.names?.some((name) => written.includes(name)));
  }

  let pinned = null;

  // Lights up all that a line became, and all that it came from.
  function light(chosen) {
    const place = chosen?.place ?? null;
    const columns = place === null ? null : data.places[place].columns;
    const seen = new Set(chosen ? [chosen.pane] : []);
    if (chosen === currentLine())
      for (const line of writtenLines()) {
        seen.add(line.pane);
        reveal(line);
      }
    for (const line of lines) {
      const isLit = Boolean(chosen?.line) && line.line === chosen.line;
      const isExact = isLit && place !== null && line.place === place;
      line.node.classList.toggle("lit", isLit);
      line.node.classList.toggle("exact", isExact);
      line.node.setAttribute("aria-selected", String(isLit));
      if (line.number !== undefined) mark(line, isLit ? columns : null);
      if (isLit && !seen.has(line.pane)) {
        seen.add(line.pane);
        reveal(line);
      }
    }
  }

  function mark(line, columns) {
    if (!columns) {
      line.code.textContent = line.text;
      return;
    }
    const [start, stop] = columns.map((column) => Math.max(column - line.indent, 0));
    line.code.replaceChildren(
      line.text.slice(0, start),
      element("mark", { textContent: line.text.slice(start, stop) }),
      line.text.slice(stop),
    );
  }

  function choose(line) {
    pinned = pinned === line ? null : line;
    const step = data.steps.findIndex((s) => programLines[s.line] === line);
    if (step >= 0) show(position > count ? 2 * count - step : 1 + step);
    light(pinned ?? currentLine());
  }

  // Steps: the start; forward through all equations; backward; the gradients of the arguments.

  const count = data.steps.length;
  const end = data.hasGradient ? 2 * count + 1 : count;
  let position = 0;

  const stepAt = (at) => (at < 1 || at > 2 * count ? null : at <= count ? at - 1 : 2 * count - at);
  const currentLine = () => (stepAt(position) === null ? null : programLines[data.steps[stepAt(position)].line]);
  const hasF = (step) => position >= 1 + step;
  const hasG = (step) => data.hasGradient && position >= 2 * count - step;

  function chips(values, letter) {
    const look = { f: "f forward", g: "g backward" }[letter];
    return values.map((value) => element("span", { look, textContent: brief(value) }));
  }

  function point(line, isCurrent) {
    line.node.classList.toggle("current", isCurrent);
    line.gutter.textContent = `${isCurrent ? "▶ " : ""}${data.places[line.place]?.number ?? ""}`;
  }

  function show(at) {
    position = Math.min(Math.max(at, 0), end);
    byId("slider").value = position;
    const current = stepAt(position);
    data.steps.forEach((step, number) => {
      const line = programLines[step.line];
      point(line, number === current);
      line.values.replaceChildren(
        ...(hasF(number) ? chips(values.steps[number].values, "f") : []),
        ...(hasG(number) ? chips(values.steps[number].gradients, "g") : []),
      );
    });
    const written = writtenLines();
    gradientLines.forEach((line) => point(line, written.includes(line)));
    inputs.forEach((input) => input.show());
    const [title, ...parts] = told(current);
    byId("where").textContent = `${position} of ${end}: ${title}`;
    byId("slider").setAttribute("aria-valuetext", title);
    byId("now").replaceChildren(element("h2", { textContent: title }), ...parts);
    for (const [id, isOff] of [["first", position === 0], ["back", position === 0], ["forward", position === end], ["last", position === end]])
      byId(id).disabled = isOff;
    const line = currentLine();
    if (line) reveal(line);
    light(pinned ?? line);
  }

  // As the user goes from step to step, these light up, and no line that was kept.
  function go(at) {
    pinned = null;
    show(at);
  }

  const wordsFor = (text) => element("p", { textContent: text });
  const codeFor = (text) => element("div", { look: "what", textContent: text });
  const panel = (letter, look, value) =>
    element("div", {}, element("div", { look, textContent: letter }), detailed(value));

  function told(step) {
    if (position === 0)
      return ["Start", wordsFor(data.hasGradient
        ? "Step forward: first come the values f of all steps, then, from the last to the first, the derivatives g of the result by them."
        : "Step forward through the values f of all steps.")];
    if (step === null)
      return ["Backward: the gradients", wordsFor("The walk back has arrived at the arguments. Their gradients stand beside their numbers, below."),
        ...inputs.filter((input) => input.hasGradient).map((input) =>
          panel(`g of ${input.entry.name}`, "backward", values.inputs[input.number]))];
    const line = programLines[data.steps[step].line];
    const place = data.places[line.place];
    const isForward = position <= count;
    const own = line.isPart ? "" : place?.name;
    const name = own || line.names.join(", ");
    const parts = [];
    if (place?.code) parts.push(codeFor(`${own ? `${own} = ` : ""}${place.code}`));
    parts.push(codeFor(line.text));
    const { values: fs, gradients: gs } = values.steps[step];
    const written = (data.steps[step].written ?? []).filter(Boolean);
    if (!isForward && written.length)
      parts.push(element("p", { look: "hint", textContent: `g is ${written.join(", ")} in the gradient's Program.` }));
    const panels = line.names.flatMap((_, i) => [
      panel(line.names.length > 1 ? `f of ${line.names[i]}` : "f", "forward", fs[i]),
      ...(isForward || !gs.length ? [] : [panel(line.names.length > 1 ? `g of ${line.names[i]}` : "g", "backward", gs[i])]),
    ]);
    parts.push(element("div", { look: "shown" }, ...panels));
    return [`${isForward ? "Forward" : "Backward"}: ${name}`, ...parts];
  }

  // Numbers: those that were recorded, or what the page computes of those that are edited.

  const recorded = {
    steps: data.steps.map(({ values: fs, gradients = [] }) => ({ values: fs, gradients })),
    inputs: data.inputs.map(({ gradients }) => gradients?.[0]),
  };
  let values = recorded;
  let { seeds } = data;
  const { program, gradient } = data;

  // Why the page cannot compute a Program; empty if it can.
  function obstacle(tested, given) {
    if (!tested) return data.reason;
    const unknown = evaluator.missing(tested);
    if (unknown.length) return `it does not know ${unknown.length > 1 ? "the primitives" : "the primitive"} ${unknown.join(", ")}`;
    try {
      evaluator.run(tested, given);
    } catch (error) {
      if (!(error instanceof evaluator.Unsupported)) throw error;
      return `it cannot compute with ${error.message}`;
    }
    return "";
  }

  function computed(given) {
    const seen = new Map();
    evaluator.run(program, given, seen);
    const backward = !gradient ? [] : obstacles.gradient ? null : evaluator.run(gradient, [...given, ...seeds]);
    const unknown = { shape: [], dtype: "float64", data: ["?"] };
    const pull = (outputs = []) => outputs.map((n) => (n === null ? null : backward ? backward[n] : unknown));
    return {
      steps: data.steps.map(({ line, outputs }) => ({ values: seen.get(programLines[line].path), gradients: pull(outputs) })),
      inputs: data.inputs.map(({ outputs }) => pull(outputs)[0]),
    };
  }

  const inputs = data.inputs.map((entry, number) => {
    const given = entry.value;
    const input = {
      entry, number, given, hasGradient: entry.gradients !== undefined,
      now: given, fields: [], after: element("span", { look: "values" }),
      show() {
        const isLast = position === end && data.hasGradient && input.hasGradient;
        input.after.replaceChildren(...(isLast ? chips([values.inputs[number]], "g") : []));
      },
    };
    return input;
  });

  function parsed(text, dtype) {
    const word = text.trim().toLowerCase();
    if (dtype === "bool") return { true: 1, false: 0, 1: 1, 0: 0 }[word];
    const x = word in SPECIAL ? SPECIAL[word] : word === "" ? undefined : Number(word);
    if (x === undefined || (Number.isNaN(x) && word !== "nan")) return undefined;
    if (!dtype.includes("int")) return evaluator.cast([x], dtype)[0];
    return Number.isSafeInteger(x) && evaluator.cast([x], dtype)[0] === x ? x : undefined;
  }

  function edited() {
    let isGood = true;
    for (const input of inputs) {
      const { data: before, dtype } = input.given;
      const numbers = input.fields.map((field, i) => // what nobody has touched keeps all its digits
        field.value === typed(before[i], dtype) ? before[i] : parsed(field.value, dtype));
      input.fields.forEach((field, i) => field.setAttribute("aria-invalid", String(numbers[i] === undefined)));
      if (numbers.includes(undefined)) isGood = false;
      else if (numbers.length) input.now = { ...input.given, data: numbers };
    }
    if (!isGood) return tell("A number cannot be read. The values are those of the numbers before.");
    recompute();
  }

  function recompute() {
    try {
      values = computed(inputs.map((input) => input.now));
      tell(obstacles.gradient && gradient
        ? `The values f are computed by this page; g is not, as ${obstacles.gradient}.`
        : "Computed by this page.");
    } catch (error) {
      tell(`Not computed: ${error.message}. The values are those of the numbers before.`);
    }
    show(position);
  }

  const tell = (text) => (byId("status").textContent = text);

  function field(input, i) {
    const { given, entry } = input;
    const index = given.shape.length ? `, number ${i + 1}` : "";
    const node = element("input", {
      type: "text", value: typed(given.data[i], given.dtype), title: String(given.data[i]), inputMode: "decimal", spellcheck: false,
      attributes: { "aria-label": `${entry.name}${index}`, autocomplete: "off" },
    });
    node.addEventListener("input", edited);
    input.fields.push(node);
    return node;
  }

  const MOST_FIELDS = 64;

  function numbersSection() {
    const section = byId("numbers");
    section.append(element("h2", { textContent: "Numbers" }));
    section.append(element("p", { id: "status", attributes: { role: "status" } }));
    for (const input of inputs) {
      const { entry, given } = input;
      const letter = entry.letter === entry.name ? "" : `, ${entry.letter} in the Program`;
      const row = element("div", { look: "input" },
        element("div", {}, element("span", { look: "name", textContent: entry.name }),
          element("span", { look: "hint", textContent: ` ${typeOf(given)}${letter} ` }), input.after));
      const isLarge = given.data && given.data.length > MOST_FIELDS;
      if (obstacles.program || !given.data || isLarge) row.append(detailed(isLarge ? summarised(given) : given));
      else if (!given.shape.length) row.append(field(input, 0));
      else {
        const rows = rowsOf(given.data.map((_, i) => i), given.shape.at(-1));
        row.append(element("div", { look: "scroll" }, element("table", {}, element("tbody", {},
          ...rows.map((r) => element("tr", {}, ...r.map((i) => element("td", {}, field(input, i)))))))));
      }
      section.append(row);
    }
    if (obstacles.program) {
      section.children[1].textContent = `The numbers cannot be edited: the page does not compute this, as ${obstacles.program}. What is shown was recorded.`;
      return;
    }
    tell("What is shown was recorded. Edit a number, and the page computes all values anew.");
    const reset = element("button", { type: "button", id: "reset", textContent: "Recorded numbers" });
    reset.addEventListener("click", () => {
      for (const input of inputs) {
        input.fields.forEach((node, i) => (node.value = typed(input.given.data[i], input.given.dtype)));
        input.now = input.given;
      }
      edited();
    });
    section.append(reset);
  }

  function summarised({ shape, dtype, data: numbers }) {
    const sizes = numbers.filter(Number.isFinite);
    const norm = Math.hypot(...sizes);
    const low = sizes.reduce((a, b) => Math.min(a, b), Infinity);
    const high = sizes.reduce((a, b) => Math.max(a, b), -Infinity);
    const columns = shape.at(-1);
    return {
      shape, dtype,
      about: [`norm ${short(norm)}`, `${short(low)} … ${short(high)}`],
      heat: rowsOf(numbers, columns).slice(0, 20).map((row) => row.slice(0, 40)),
    };
  }

  function choice() {
    if (!data.choices.length) return null;
    const select = element("select", { id: "result" }, ...data.choices.map(({ label }, i) => element("option", { value: i, textContent: label })));
    select.disabled = Boolean(obstacles.program || obstacles.gradient);
    select.addEventListener("change", () => {
      const { seed, element: place } = data.choices[select.value];
      seeds = seeds.map((x, number) => ({ ...x, data: x.data.map((_, i) => Number(number === seed && i === place)) }));
      recompute();
    });
    return element("label", {}, "g is the derivative of ", select);
  }

  // All together

  function about() {
    const node = byId("about");
    const words = [`${count} ${count === 1 ? "step" : "steps"}.`];
    if (!data.hasGradient) words.push("There is no gradient: the result depends on no argument of floating-point numbers.");
    if (data.isDecided) words.push("Python has asked for values here (an if, a loop, a float), so this is what is done for numbers with which it decides in the same way.");
    words.push("Point at a line to see what it became; click to keep it. Arrow keys step.");
    node.append(words.join(" "));
    const chooser = choice();
    if (chooser) node.append(" ", chooser);
  }

  const ABOUT = {
    Program: "What is recorded of it, with the values of each step.",
    "Program of the gradient": "The way there and the way back.",
    Simplified: "What the passes make of that.",
    "NumPy source": "What is compiled.",
  };

  data.panes.forEach(({ title, lines: entries }, number) => {
    const [section, own] = listing(title, entries, ABOUT[title]);
    if (number === 0) {
      for (const line of own) {
        line.values = element("span", { look: "values" });
        line.node.append(line.values);
        const name = data.places[line.place]?.name; // what the user calls what the last step there gives
        if (name && line.path && !line.isPart) line.code.append(element("span", { look: "hint", textContent: `  # ${name}` }));
      }
      programLines.push(...own);
    }
    if (data.hasGradient && number === 1) gradientLines.push(...own);
    byId("right").append(section);
  });
  const [section] = listing("Your code", data.source, data.source.length ? "" : "There is no source that can be read.");
  byId("source").replaceWith(section);
  section.id = "source";

  const obstacles = { program: "", gradient: "" };
  const given = inputs.map((input) => input.given);
  obstacles.program = obstacle(program, given);
  obstacles.gradient = data.hasGradient ? obstacles.program || obstacle(gradient, [...given, ...seeds]) : "";
  document.documentElement.dataset.computes = obstacles.program ? "nothing" : obstacles.gradient ? "forward" : "all";
  about();
  numbersSection();

  byId("slider").max = end;
  byId("slider").addEventListener("input", (event) => go(Number(event.target.value)));
  byId("first").addEventListener("click", () => go(0));
  byId("back").addEventListener("click", () => go(position - 1));
  byId("forward").addEventListener("click", () => go(position + 1));
  byId("last").addEventListener("click", () => go(end));
  let playing = null;
  byId("play").addEventListener("click", () => {
    if (playing !== null) return stop();
    if (position === end) go(0);
    playing = setInterval(() => (position < end ? go(position + 1) : stop()), 800);
    byId("play").textContent = "Stop";
    byId("play").setAttribute("aria-pressed", "true");
  });
  function stop() {
    clearInterval(playing);
    playing = null;
    byId("play").textContent = "Play";
    byId("play").setAttribute("aria-pressed", "false");
  }
  document.addEventListener("keydown", (event) => {
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
    const to = { ArrowRight: position + 1, ArrowLeft: position - 1, Home: 0, End: end }[event.key];
    if (event.key === "Escape") {
      pinned = null;
      light(currentLine());
    }
    if (to === undefined) return;
    event.preventDefault();
    go(to);
  });
  show(0);
})();
