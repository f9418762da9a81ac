"use strict";
(() => {
  const tip = document.getElementById("tip");

  const show = (point, plot) => {
    plot.querySelectorAll(".point.on").forEach((each) => each.classList.remove("on"));
    point.classList.add("on");
    const value = point.dataset.value;
    plot.parentElement.querySelector(".reading").textContent = value;
    tip.textContent = value;
    tip.hidden = false;
    const box = point.getBoundingClientRect();
    const left = Math.min(box.left + box.width / 2 + 10, document.documentElement.clientWidth - tip.offsetWidth - 8);
    tip.style.left = `${Math.max(4, left) + window.scrollX}px`;
    tip.style.top = `${box.top + window.scrollY - tip.offsetHeight - 8}px`;
  };
  const hide = (plot) => {
    plot.querySelectorAll(".point.on").forEach((each) => each.classList.remove("on"));
    tip.hidden = true;
  };

  document.querySelectorAll(".plot").forEach((plot) => {
    const points = [...plot.querySelectorAll(".point")];
    if (!points.length) {
      plot.removeAttribute("tabindex");
      return;
    }
    points.forEach((each) => each.querySelectorAll("title").forEach((title) => title.remove()));
    plot.setAttribute("aria-label", `${plot.getAttribute("aria-label")} The arrow keys read its ${points.length} values.`);
    let at = -1;
    plot.addEventListener("pointermove", (event) => {
      // The nearest point within a finger's width: markers are small.
      let best = null, least = 24 * 24;
      points.forEach((point, number) => {
        const box = point.getBoundingClientRect();
        const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
        const x = box.left + box.width / 2 - event.clientX, y = box.top + box.height / 2 - event.clientY;
        const distance = inside && Math.max(box.width, box.height) > 24 ? 0 : x * x + y * y;
        if (distance < least) { least = distance; best = number; }
      });
      if (best === null) { hide(plot); } else if (best !== at || tip.hidden) { at = best; show(points[at], plot); }
    });
    plot.addEventListener("pointerleave", () => hide(plot));
    plot.addEventListener("blur", () => hide(plot));
    plot.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (step) { at = at < 0 ? 0 : (at + step + points.length) % points.length; }
      else if (event.key === "Home") { at = 0; }
      else if (event.key === "End") { at = points.length - 1; }
      else if (event.key === "Escape") { at = -1; hide(plot); return; }
      else { return; }
      event.preventDefault();
      show(points[at], plot);
    });
  });

  document.querySelectorAll("table.sortable").forEach((table) => {
    const body = table.tBodies[0];
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = heading.textContent;
      heading.replaceChildren(button);
      heading.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const first = heading.classList.contains("number") ? "descending" : "ascending";
        const now = heading.getAttribute("aria-sort");
        const next = now === "none" ? first : now === "ascending" ? "descending" : "ascending";
        [...table.tHead.rows[0].cells].forEach((each) => each.setAttribute("aria-sort", "none"));
        heading.setAttribute("aria-sort", next);
        const sign = next === "ascending" ? 1 : -1;
        const rows = [...body.rows];
        rows.sort((one, other) => {
          const a = one.cells[column], b = other.cells[column];
          if (!a.textContent || !b.textContent) { return (a.textContent ? 0 : 1) - (b.textContent ? 0 : 1); }
          const order = a.dataset.sort !== undefined && b.dataset.sort !== undefined
            ? Number(a.dataset.sort) - Number(b.dataset.sort)
            : a.textContent.localeCompare(b.textContent, undefined, { numeric: true });
          return sign * order;
        });
        body.append(...rows);
      });
    });
  });

  window.addEventListener("beforeprint", () => document.querySelectorAll("details.print").forEach((each) => { each.open = true; }));
})();
