/* Keys, focus, theme: what the pages need beyond htmx. */
"use strict";
(() => {
  const KEYS_OFF = "premortem-keys-off";
  const THEME = "premortem-theme";
  const THEMES = ["automatic", "light", "dark"];

  const writes = (element) => element.closest("textarea, input, select, [contenteditable]");

  function theme() {
    return document.documentElement.dataset.theme || "automatic";
  }

  function showTheme() {
    document.querySelector("#theme span").textContent = theme();
  }

  function turnTheme() {
    const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
    if (next === "automatic") {
      delete document.documentElement.dataset.theme;
      localStorage.removeItem(THEME);
    } else {
      document.documentElement.dataset.theme = next;
      localStorage.setItem(THEME, next);
    }
    showTheme();
  }

  /* After a page came, reading goes on at its heading. */
  function focusHeading() {
    const place = document.querySelector("#main [data-focus]") || document.getElementById("main");
    place.focus({ preventScroll: place.tagName !== "TEXTAREA" });
  }

  function act(element) {
    if (element.tagName === "DETAILS") {
      element.open = true;
      element.querySelector("textarea").focus();
    } else {
      element.click();
    }
  }

  function ask() {
    const question = document.getElementById("question");
    if (question) question.focus();
    else document.querySelector('#rooms [data-key="1"]').click();
  }

  function leave(field) {
    const details = field.closest("details");
    const out = document.querySelector("[data-escape]");
    if (details) {
      details.open = false;
      details.querySelector("summary").focus();
    } else if (out) {
      out.click();
    } else {
      field.blur();
    }
  }

  /* What was meant takes the place of the line; its keyword and indent stay. */
  function replaceLine(button) {
    const field = document.getElementById("text");
    const lines = field.value.split("\n");
    const at = Number(button.dataset.line) - 1;
    const start = /^\s*\S+ /.exec(lines[at]);
    lines[at] = (start ? start[0] : "  ") + button.dataset.text;
    field.value = lines.join("\n");
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  }

  /* A map is one stop of Tab; arrows move in it. */
  const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

  function makeEnterable() {
    for (const map of document.querySelectorAll("[data-grid]")) {
      const first = map.querySelector(".untested a") || map.querySelector("td a");
      if (first && !map.querySelector('a[tabindex="0"]')) first.tabIndex = 0;
    }
  }

  function moveIn(map, link, [down, right]) {
    const rows = [...map.tBodies[0].rows];
    const cell = link.closest("td");
    let row = rows.indexOf(cell.parentElement) + down;
    let column = cell.cellIndex + right;
    while (rows[row] && rows[row].cells[column]) {
      const next = rows[row].cells[column].querySelector("a");
      if (next) {
        link.tabIndex = -1;
        next.tabIndex = 0;
        next.focus();
        return;
      }
      row += down;
      column += right;
    }
  }

  /* What is known of the field that somebody looks at. */
  function tell(event) {
    const field = event.target.closest("[data-told]");
    const place = document.querySelector("[data-told-here]");
    if (field && place) place.textContent = field.dataset.told;
  }

  function pressedInField(event, field) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && field.form) {
      event.preventDefault();
      field.form.requestSubmit();
    } else if (event.key === "Escape") {
      event.preventDefault();
      leave(field);
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-line]");
    if (button) replaceLine(button);
  });

  document.addEventListener("focusin", tell);
  document.addEventListener("mouseover", tell);

  document.addEventListener("keydown", (event) => {
    if (event.isComposing || (event.repeat && !STEPS[event.key])) return;
    const field = writes(event.target);
    if (field) {
      pressedInField(event, field);
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const map = event.target.closest("[data-grid]");
    if (map && STEPS[event.key] && event.target.closest("td")) {
      event.preventDefault();
      moveIn(map, event.target, STEPS[event.key]);
      return;
    }
    if (document.querySelector("dialog[open]") || localStorage.getItem(KEYS_OFF)) return;
    if (event.key === "?") {
      document.getElementById("keys").showModal();
    } else if (event.key === "/") {
      event.preventDefault();
      ask();
    } else if (/^[a-z1-9]$/i.test(event.key)) {
      const element = document.querySelector(`[data-key="${event.key.toLowerCase()}"]`);
      if (!element) return;
      event.preventDefault();
      act(element);
    }
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    makeEnterable();
    const request = event.detail.requestConfig;
    if (request && request.boosted) focusHeading();
  });

  /* Told to who cannot see it: only a place that stays is listened to. */
  document.addEventListener("htmx:afterSwap", (event) => {
    const said = event.target.querySelector("[data-said]");
    const told = document.getElementById("binding-said");
    if (said && told && told.textContent !== said.textContent) told.textContent = said.textContent;
  });

  document.addEventListener("DOMContentLoaded", () => {
    const on = document.getElementById("keys-on");
    on.checked = !localStorage.getItem(KEYS_OFF);
    on.addEventListener("change", () => {
      if (on.checked) localStorage.removeItem(KEYS_OFF);
      else localStorage.setItem(KEYS_OFF, "1");
    });
    document.getElementById("theme").addEventListener("click", turnTheme);
    document.getElementById("show-keys").addEventListener("click", () => {
      document.getElementById("keys").showModal();
    });
    showTheme();
    makeEnterable();
    if (document.activeElement === document.body) focusHeading();
  });
})();
