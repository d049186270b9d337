"use strict";
(async () => {
  const at = (id) => document.getElementById(id);
  const make = (tag, text, attributes = {}) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const say = (text, bad = false) => {
    at("status").textContent = text;
    at("status").classList.toggle("bad", bad);
  };

  const about = await (await fetch("/about")).json();
  for (const method of about.methods) at("method").append(make("option", method.name));
  at("class").append(make("option", "as predicted", { value: "" }));
  const classes = about.arms[0].classes;
  const alike = about.arms.every((arm) => arm.classes.join("\n") === classes.join("\n"));
  if (alike) classes.forEach((name, i) => at("class").append(make("option", name, { value: i })));

  // One figure an arm; what it shows last is kept, so that the slider asks nobody.
  const views = about.arms.map((arm) => {
    const figure = make("figure");
    const shares = make("ul");
    const image = make("img");
    const caption = make("figcaption");
    const size = `${arm.model}, ${arm.size_px} px`;
    figure.append(make("h2", arm.name), make("p", size, { class: "faint" }), shares, image, caption);
    image.hidden = true;
    at("arms").append(figure);
    return { arm, shares, image, caption, answer: null };
  });

  const drawLayer = () => {
    for (const { arm, image, caption, answer } of views) {
      if (!answer) continue;
      const last = answer.frames.length - 1;
      const place = Math.round((Number(at("layer").value) / Number(at("layer").max)) * last);
      const frame = answer.frames[place];
      const name = arm.classes[answer.class];
      image.hidden = false;
      image.src = frame.picture.uri;
      image.alt = frame.empty ? `Nothing at ${frame.tap}` : `Map for ${name} at ${frame.tap}`;
      const says = frame.empty ? `nothing speaks for ${name} here` : `what speaks for ${name}`;
      const where = `${frame.tap} (${place + 1} of ${last + 1})`;
      caption.textContent = `${where}: ${says}`;
      at("layer").setAttribute("aria-valuetext", where);
    }
  };
  const drawShares = ({ arm, shares, answer }) => {
    const order = answer.probabilities.map((p, i) => [p, i]).sort((a, b) => b[0] - a[0]);
    const line = ([p, i]) => {
      const item = make("li");
      const bar = make("progress", undefined, { max: 1, value: p, "aria-label": arm.classes[i] });
      item.append(make("span", arm.classes[i]), bar, make("span", (100 * p).toFixed(1) + " %"));
      return item;
    };
    shares.replaceChildren(...order.slice(0, 5).map(line));
  };

  // What another question was answered with must not stand under this one's name.
  const clear = () => {
    for (const view of views) {
      view.answer = null;
      view.image.hidden = true;
      view.shares.replaceChildren();
      view.caption.textContent = "";
    }
  };
  const refuse = (why) => {
    clear();
    say(why, true);
  };

  let picture = null;
  let newest = 0;
  let asking = null;
  // Whoever no longer waits for an answer says so, and the program need not look for it.
  const drop = () => {
    newest += 1;
    if (asking) asking.abort();
  };
  const ask = async () => {
    if (!picture) return;
    drop();
    const mine = newest;
    asking = new AbortController();
    const { signal } = asking;
    say("Looking …");
    const began = performance.now();
    for (const [number, view] of views.entries()) {
      const query = new URLSearchParams({ arm: number, method: at("method").value });
      if (at("class").value) query.set("class", at("class").value);
      try {
        const response = await fetch("/explain?" + query, { method: "POST", body: picture, signal });
        const answer = await response.json();
        if (mine !== newest) return; // something else was asked meanwhile
        if (!response.ok) return refuse(answer.error);
        view.answer = answer;
      } catch {
        if (mine !== newest) return;
        return refuse("The program does not answer; is it still running?");
      }
      drawShares(view);
      const most = Math.max(...views.map(({ answer }) => (answer ? answer.frames.length : 1)));
      const whole = Number(at("layer").value) / Number(at("layer").max);
      at("layer").max = Math.max(most - 1, 1);
      at("layer").value = Math.round(whole * at("layer").max);
      at("layer").disabled = most < 2;
      drawLayer();
    }
    say(`${picture.name}: ${Math.round(performance.now() - began)} ms`);
  };
  const chosen = () => about.methods.find(({ name }) => name === at("method").value);
  const seconds = (s) => (s < 1 ? "less than 1 s" : `up to about ${Math.round(s)} s`);
  const price = () => {
    const cost = ({ name, channels, at_most_s: s }) => `${name} ${channels}, ${seconds(s)}`;
    return `here at the last block only, forwards: ${about.arms.map(cost).join("; ")}`;
  };
  // A slow method is only asked when whoever asks has seen what it costs.
  const wish = () => {
    const slow = chosen().slow;
    at("go").hidden = !slow || !picture;
    if (!slow) return ask();
    drop();
    clear();
    if (picture) say(`${picture.name}: press Look to ask.`);
  };
  const take = (file) => {
    if (!file) return;
    picture = file;
    wish();
  };

  const explained = () => {
    const method = chosen();
    const cost = method.slow ? `${method.cost}; ${price()}` : method.cost;
    at("about").textContent = `${method.about} (${cost})`;
  };
  at("method").addEventListener("change", () => { explained(); wish(); });
  at("class").addEventListener("change", wish);
  at("go").addEventListener("click", ask);
  at("layer").addEventListener("input", drawLayer);
  at("file").addEventListener("change", () => take(at("file").files[0]));
  const over = (is) => (event) => {
    event.preventDefault();
    document.body.classList.toggle("over", is);
  };
  addEventListener("dragover", over(true));
  addEventListener("dragleave", over(false));
  addEventListener("drop", (event) => {
    over(false)(event);
    take(event.dataTransfer.files[0]);
  });
  document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  explained();
})();
