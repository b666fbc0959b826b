"use strict";
// Zoom by a click on a frame, and search by a part of a name. Pages read without it.
for (const graph of document.querySelectorAll(".graph")) {
  const frames = [...graph.querySelectorAll(".frame")].map((element) => ({
    element,
    x: parseFloat(element.getAttribute("x")),
    y: Number(element.getAttribute("y")),
    width: parseFloat(element.getAttribute("width")),
    name: element.querySelector("title").textContent.split("\n")[0],
    text: element.querySelector("text"),
  }));
  const short = (name) => name.split("::").slice(-2).join("::");
  const zoom = (to) => {
    for (const one of frames) {
      const above = one.y < to.y && one.x <= to.x + 1e-3 && one.x + one.width >= to.x + to.width - 1e-3;
      const x = above ? 0 : ((one.x - to.x) / to.width) * 100;
      const width = above ? 100 : (one.width / to.width) * 100;
      const seen = above || (one.y >= to.y && x > -1e-3 && x + width < 100 + 1e-3);
      one.element.style.display = seen ? "" : "none";
      one.element.setAttribute("x", x + "%");
      one.element.setAttribute("width", width + "%");
      one.text.textContent = seen && width >= 1 ? short(one.name) : "";
    }
  };
  const all = frames[0];
  for (const one of frames) one.element.addEventListener("click", () => zoom(one));
  const tools = document.querySelector(".tools");
  if (!tools || !all) continue;
  tools.classList.add("live");
  tools.querySelector("button").addEventListener("click", () => zoom(all));
  tools.querySelector("input").addEventListener("input", (event) => {
    const wanted = event.target.value.toLowerCase();
    for (const one of frames) {
      one.element.classList.toggle("found", wanted !== "" && one.name.toLowerCase().includes(wanted));
    }
  });
}
