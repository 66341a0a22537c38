// Renders /openapi.json. Text goes in as text: nothing of the document is taken for markup.

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// `code` in a text is the only markup that the descriptions use.
function words(text = "") {
  return text.split("`").map((part, n) => (n % 2 ? element("code", { textContent: part }) : part));
}

function paragraphs(text = "") {
  return text.split("\n\n").map((part) => element("p", {}, ...words(part)));
}

class Page {
  constructor(api) {
    this.api = api;
  }

  resolve(thing = {}) {
    if (!thing.$ref) return thing;
    const path = thing.$ref.slice(2).split("/");
    return path.reduce((place, key) => place?.[key.replaceAll("~1", "/").replaceAll("~0", "~")], this.api) ?? {};
  }

  // What a value is, in a few words.
  kind(schema) {
    const found = this.resolve(schema);
    const choices = found.anyOf ?? found.oneOf;
    if (choices) return choices.map((choice) => this.kind(choice)).join(" or ");
    if (found.maxLength === 0) return "nothing";
    if (found.enum) return found.enum.map((value) => JSON.stringify(value)).join(", ");
    const types = [found.type ?? "anything"].flat();
    const named = types.map((type) => (type === "string" && found.format ? found.format : type));
    const text = named.join(" or ");
    return types.includes("array") ? `${text} of ${this.kind(found.items)}` : text;
  }

  // What else it must be.
  rules(schema) {
    const found = this.resolve(schema);
    const many = (count, word) => (count === 1 ? word : `${word}s`);
    const told = [
      ["at least", found.minLength, many(found.minLength, "character")],
      ["at most", found.maxLength, many(found.maxLength, "character")],
      ["from", found.minimum, ""], ["to", found.maximum, ""],
      ["at least", found.minItems, many(found.minItems, "item")],
      ["at most", found.maxItems, many(found.maxItems, "item")],
      ["default", found.default, ""], ["pattern", found.pattern, ""],
    ];
    const given = told.filter(([, value]) => value !== undefined);
    return given.map(([before, value, after]) => `${before} ${value} ${after}`.trim()).join("; ");
  }

  row(name, schema, required, about, depth = 0) {
    const head = element("th", { scope: "row" }, element("code", { textContent: name }));
    if (depth) head.classList.add("nested");
    const what = element("td", {}, this.kind(schema), required ? "" : " (optional)");
    const rules = this.rules(schema);
    const text = element("td", {}, ...words(about ?? this.resolve(schema).description));
    if (rules) text.append(" ", element("span", { className: "rules", textContent: rules }));
    return element("tr", {}, head, what, text);
  }

  // The members of an object, and those of the objects in it.
  members(schema, depth = 0) {
    const found = this.resolve(schema);
    const required = new Set(found.required);
    return Object.entries(found.properties ?? {}).flatMap(([name, member]) => {
      const whole = this.resolve(member);
      const inner = [member, whole.items, ...(whole.oneOf ?? [])].find((one) => one && this.resolve(one).properties);
      const row = this.row(name, member, required.has(name), member.description, depth);
      return inner && depth < 2 ? [row, ...this.members(inner, depth + 1)] : [row];
    });
  }

  table(caption, heads, rows) {
    const head = heads.map((text) => element("th", { scope: "col", textContent: text }));
    const table = element(
      "table", {},
      element("caption", { textContent: caption }),
      element("thead", {}, element("tr", {}, ...head)),
      element("tbody", {}, ...rows),
    );
    return element("div", { className: "scroll" }, table);
  }

  parameters(operation) {
    const parameters = operation.parameters ?? [];
    if (!parameters.length) return [];
    const rows = parameters.map((parameter) => {
      const one = this.resolve(parameter);
      const row = this.row(one.name, one.schema, one.required, one.description);
      row.children[1].append(element("span", { className: "rules", textContent: ` in ${one.in}` }));
      return row;
    });
    return [this.table("Parameters", ["Name", "What", "About"], rows)];
  }

  body(operation) {
    const schema = Object.values(operation.requestBody?.content ?? {})[0]?.schema;
    if (!schema) return [];
    const rows = this.members(schema);
    if (!rows.length) return [element("p", {}, "Body: ", ...words(operation.requestBody.description))];
    return [this.table("Body", ["Member", "What", "About"], rows)];
  }

  responses(operation) {
    const entries = Object.entries(operation.responses ?? {});
    const rows = entries.map(([status, response]) => {
      const one = this.resolve(response);
      const schema = Object.values(one.content ?? {})[0]?.schema;
      const name = schema?.$ref?.split("/").pop() ?? (schema ? this.kind(schema) : "nothing");
      const headers = Object.entries(one.headers ?? {}).map(([header, { description }]) =>
        element("p", { className: "note" }, element("code", { textContent: header }), ": ", ...words(description)));
      return element(
        "tr", {},
        element("th", { scope: "row" }, element("code", { textContent: status })),
        element("td", { textContent: name }),
        element("td", {}, ...words(one.description), ...headers),
      );
    });
    const good = entries.filter(([status]) => status.startsWith("2"));
    const answers = good.flatMap(([status, response]) => {
      const members = this.members(Object.values(this.resolve(response).content ?? {})[0]?.schema);
      return members.length ? [this.table(`Answer ${status}`, ["Member", "What", "About"], members)] : [];
    });
    return [...answers, this.table("Answers", ["Status", "Body", "When"], rows)];
  }

  operation({ method, path, operation }) {
    const title = element(
      "h3", {},
      element("span", { className: `method ${method}`, textContent: method.toUpperCase() }),
      element("code", { textContent: path }),
    );
    const open = !(operation.security ?? []).some((one) => Object.keys(one).length);
    return element(
      "article", { id: operation.operationId },
      title,
      element("p", {}, element("strong", { textContent: operation.summary ?? "" })),
      ...(operation.description ? paragraphs(operation.description) : []),
      element("p", { className: "note", textContent: open ? "Open to all." : "Needs a session token: Authorization: Bearer …" }),
      ...this.parameters(operation), ...this.body(operation), ...this.responses(operation),
    );
  }

  operations() {
    return Object.entries(this.api.paths).flatMap(([path, item]) =>
      METHODS.filter((method) => item[method]).map((method) => ({ method, path, operation: item[method] })));
  }

  render() {
    const { info, tags = [] } = this.api;
    document.title = `${info.title}: the API`;
    document.getElementById("title").textContent = `${info.title} ${info.version}`;
    document.getElementById("about").replaceChildren(...paragraphs(info.description));
    const all = this.operations();
    const groups = tags.map((tag) => ({ tag, own: all.filter(({ operation }) => operation.tags?.includes(tag.name)) }));
    const links = groups.flatMap(({ own }) => own).map(({ method, path, operation }) =>
      element("li", {}, element("a", { href: `#${operation.operationId}` },
        element("span", { className: `method ${method}`, textContent: method.toUpperCase() }),
        element("code", { textContent: path }))));
    document.getElementById("contents").replaceChildren(element("ul", {}, ...links));
    const sections = groups.map(({ tag, own }) => element(
      "section", {},
      element("h2", { textContent: tag.name }),
      ...paragraphs(tag.description),
      ...own.map((one) => this.operation(one)),
    ));
    document.getElementById("operations").replaceChildren(...sections);
    if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  }
}

try {
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  new Page(await answer.json()).render();
} catch (error) {
  document.getElementById("state").textContent = `The description cannot be shown: ${error.message}. Reload the page to try again.`;
}
