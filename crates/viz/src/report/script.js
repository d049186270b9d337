"use strict";
// Without this script every figure is still there: frames stand under one another, nothing is
// missing but the slider and the buttons.
(() => {
  const make = (tag, attributes, text) => {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text) element.textContent = text;
    return element;
  };
  const save = (href, name) => {
    const link = make("a", { href, download: name });
    document.body.append(link);
    link.click();
    link.remove();
  };
  const saveText = (text, kind, name) => {
    const href = URL.createObjectURL(new Blob([text], { type: kind }));
    save(href, name);
    setTimeout(() => URL.revokeObjectURL(href), 1000);
  };

  // A table as a spreadsheet reads it. Columns of numbers hold bare numbers; "2.4 ± 0.5" and "1 to 3"
  // take two columns. All else is text in quotes, which must not be taken for a formula.
  const textCell = (text) =>
    '"' + text.replace(/^(?=[=+\-@\t\r\uff1d\uff0b\uff0d\uff20])/, "'").replaceAll('"', '""') + '"';
  const number = (text) => {
    const plain = text.replaceAll("\u2212", "-").replace(/^\+/, "").replace(/ %$/, "");
    return /^-?\d[\d,]*(\.\d+)?(e[+-]?\d+)?$/i.test(plain) ? plain.replaceAll(",", "") : null;
  };
  const numberCell = (text) => (text === "\u2013" ? "" : number(text) ?? textCell(text));
  const pairs = [
    [/^(\S+) \u00b1 (\S+)$/, "", ", \u00b1"],
    [/^(\S+) to (\S+)$/, ", low", ", high"],
    [/^(\S+) (\(.*\))$/, "", ", note"],
  ];
  const columnOf = (cells) => {
    const [head, ...texts] = cells.map((cell) => cell.textContent.trim());
    if (!cells[0].classList.contains("number")) return [[head, ...texts].map(textCell)];
    const halves = (text, pattern) => {
      const found = pattern.exec(text);
      return found && number(found[1]) !== null ? found : null;
    };
    const kind = pairs.find(([pattern]) => texts.some((text) => halves(text, pattern)));
    if (!kind) return [[textCell(head), ...texts.map(numberCell)]];
    const split = texts.map((text) => halves(text, kind[0]) ?? halves(text, pairs[2][0]) ?? [, text, ""]);
    return [1, 2].map((half) => [
      textCell(head + kind[half]),
      ...split.map((found) => (found[half] ? numberCell(found[half]) : "")),
    ]);
  };
  // It begins with a byte order mark, without which spreadsheets do not read UTF-8.
  const csv = (table) => {
    const rows = [...table.rows];
    const columns = [...rows[0].cells].flatMap((_, i) => columnOf(rows.map((row) => row.cells[i])));
    return "\ufeff" + rows.map((_, i) => columns.map((cells) => cells[i]).join(",") + "\r\n").join("");
  };

  // A file of its own has no page to take its colours from.
  const alone = (svg) => {
    const copy = svg.cloneNode(true);
    copy.setAttribute("color", "#1b1e23");
    const ground = document.createElementNS(svg.namespaceURI, "rect");
    for (const [key, value] of [["width", "100%"], ["height", "100%"], ["fill", "#ffffff"]]) {
      ground.setAttribute(key, value);
    }
    copy.insertBefore(ground, copy.firstChild);
    return new XMLSerializer().serializeToString(copy);
  };
  const savePng = (svg, name) => {
    const picture = new Image();
    picture.onload = () => {
      const canvas = make("canvas", {});
      canvas.width = 2 * svg.width.baseVal.value;
      canvas.height = 2 * svg.height.baseVal.value;
      canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
      save(canvas.toDataURL("image/png"), name);
    };
    picture.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(alone(svg));
  };

  // White paper to draw on, in the light theme's ink.
  const sheet = (width, height, font) => {
    const on = Object.assign(make("canvas", {}), { width, height }).getContext("2d");
    on.fillStyle = "#ffffff";
    on.fillRect(0, 0, width, height);
    on.font = font;
    on.fillStyle = "#1b1e23";
    return on;
  };

  // A gallery is many small files; it is saved as one picture, its words with it.
  const saveGallery = (box, name) => {
    const thumbs = [...box.querySelectorAll(".thumb")];
    const [wide, side, line, across] = [190, 128, 16, Math.min(4, thumbs.length)];
    const words = thumbs.map((thumb) => [...thumb.querySelectorAll("span")].map((s) => s.textContent));
    const high = side + line * Math.max(...words.map((lines) => lines.length)) + 24;
    const on = sheet(wide * across, high * Math.ceil(thumbs.length / across), "13px sans-serif");
    thumbs.forEach((thumb, i) => {
      const [x, y] = [wide * (i % across) + 8, high * Math.floor(i / across) + 8];
      const picture = thumb.querySelector("img");
      const scale = side / Math.max(picture.naturalWidth, picture.naturalHeight);
      on.drawImage(picture, x, y, scale * picture.naturalWidth, scale * picture.naturalHeight);
      words[i].forEach((text, n) => on.fillText(text, x, y + side + line * (n + 1), wide - 16));
    });
    save(on.canvas.toDataURL("image/png"), name);
  };

  // Pictures as one PNG: one as it is, several with their names above them.
  const savePictures = (pictures, names, name) => {
    const across = Math.ceil(Math.sqrt(pictures.length));
    const [head, apart] = pictures.length > 1 ? [22, 10] : [0, 0];
    const wide = Math.max(...pictures.map((picture) => picture.naturalWidth)) + apart;
    const high = Math.max(...pictures.map((picture) => picture.naturalHeight)) + head + apart;
    const down = Math.ceil(pictures.length / across);
    const on = sheet(wide * across - apart, high * down - apart, "bold 15px sans-serif");
    pictures.forEach((picture, i) => {
      const [x, y] = [wide * (i % across), high * Math.floor(i / across)];
      if (head) on.fillText(names[i], x + 4, y + 16, wide - apart - 8);
      on.drawImage(picture, x, y + head);
    });
    save(on.canvas.toDataURL("image/png"), name);
  };

  const count = {};
  for (const figure of document.querySelectorAll("main figure:not(.thumb), main .gallery-box")) {
    const part = figure.closest("section").id || "figure";
    count[part] = (count[part] || 0) + 1;
    const name = part + "-" + count[part];
    const row = make("p", { class: "downloads" });
    const add = (text, action) => {
      const button = make("button", { type: "button", "aria-label": `Save ${name} as ${text}` }, text);
      button.addEventListener("click", action);
      row.append(button);
    };
    // One of several has its number in its button and its file's name.
    const one = (i, all) => (all.length > 1 ? [`${name}-${i + 1}`, ` ${i + 1}`] : [name, ""]);
    figure.querySelectorAll("table").forEach((table, i, all) => {
      const [own, number] = one(i, all);
      add("CSV" + number, () => saveText(csv(table), "text/csv;charset=utf-8", own + ".csv"));
    });
    figure.querySelectorAll(".panel > svg").forEach((svg, i, all) => {
      const [own, number] = one(i, all);
      add("SVG" + number, () => saveText(alone(svg), "image/svg+xml", own + ".svg"));
      add("PNG" + number, () => savePng(svg, own + ".png"));
    });
    const pictures = [...figure.querySelectorAll("img")];
    const at = () => Math.max(pictures.findIndex((picture) => !picture.closest("[hidden]")), 0);
    const own = () => one(at(), pictures)[0];
    const names = [...figure.querySelectorAll(".frame-name")].map((name) => name.textContent);
    if (figure.matches(".gallery-box")) {
      add("PNG", () => saveGallery(figure, name + ".png"));
    } else if (pictures.length) {
      const kind = pictures[0].src.startsWith("data:image/png") ? "PNG" : "JPG";
      add(kind, () => save(pictures[at()].src, `${own()}.${kind.toLowerCase()}`));
      if (kind === "JPG") add("PNG", () => savePictures([pictures[at()]], [], own() + ".png"));
      if (pictures.length > 1) {
        add("PNG, all layers", () => savePictures(pictures, names, name + "-all.png"));
      }
    }
    if (row.children.length) figure.append(row);
  }

  // #slide=3 opens every slider at its third frame, so that a link can point at what it means.
  const wanted = () => Number(/[#&]slide=(\d+)/.exec(location.hash)?.[1]);
  document.querySelectorAll(".slider").forEach((slider, n) => {
    const frames = [...slider.querySelectorAll(".frame")];
    const id = `slide-${n + 1}`;
    const range = make("input", { id, type: "range", min: 1, max: frames.length, step: 1 });
    const name = make("output", { for: id });
    const bar = make("p", { class: "slide" });
    bar.append(make("label", { for: id }, "Layer"), range, name);
    slider.prepend(bar);
    const show = (number) => {
      const at = Math.min(Math.max(number || frames.length, 1), frames.length);
      range.value = at;
      frames.forEach((frame, i) => { frame.hidden = i !== at - 1; });
      const says = frames[at - 1].querySelector(".frame-name").textContent;
      name.textContent = `${says} (${at} of ${frames.length})`;
      range.setAttribute("aria-valuetext", name.textContent);
    };
    range.addEventListener("input", () => show(Number(range.value)));
    addEventListener("hashchange", () => { if (wanted()) show(wanted()); });
    show(wanted());
  });
  document.documentElement.classList.add("scripted");
})();
