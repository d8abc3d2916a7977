// Live figures: draws what draw/live.py describes, with the plot bundle (`Plotly`).
//
// A page holds each in a <figure>: a box of the class "live", the description as JSON in a script element, and the
// image, the figure drawn still, which is shown on paper and wherever anything here is missing or fails. A figure has
// the class "alive" only while its plot can be drawn; the page's style does the rest.
//
// A browser holds some 16 drawings by WebGL at a time and throws away the oldest: so a plot is drawn when it comes
// near the window and cleared when it has left. What its reader set (camera, range, hidden classes) plotly keeps in
// `data` and `layout`, and with them it comes back as it was.

"use strict";

(() => {
  const NEAR = "300px"; // from the window: plots are drawn
  const WIDE = 620; // pixels: from here on the legend stands beside the plot, else under it
  const ENLARGED = 112; // pixels: about how large an image is shown
  const TOUCH = matchMedia("(hover: none)").matches;

  const BUTTONS = {
    plane: ["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d", "toImage"],
    space: ["orbitRotation", "zoom3d", "pan3d", "resetCameraDefault3d", "toImage"],
  };

  // Whether the browser can draw by WebGL.
  function able() {
    const context = document.createElement("canvas").getContext("webgl");
    context?.getExtension("WEBGL_lose_context")?.loseContext();
    return Boolean(context && window.Plotly && window.IntersectionObserver);
  }

  // The description, with what depends on the window and on the hand.
  function prepared(spec, width) {
    const { layout } = spec;
    const space = "scene" in layout;
    Object.assign(layout, {
      font: { family: "system-ui, sans-serif", size: 13, color: "#1a1f24" },
      margin: { l: space ? 0 : 56, r: 12, t: 36, b: space ? 0 : 48 },
      modebar: { orientation: "h", bgcolor: "transparent", color: "#9aa3ab", activecolor: "#0b5c8a" },
      dragmode: space ? "turntable" : TOUCH ? false : "zoom", // false: a finger scrolls the page
      hovermode: "closest",
      autosize: true,
    });
    if (space && width < WIDE) for (const axis of "xyz") layout.scene.camera.eye[axis] *= 1.4; // farther: it is narrow
    return spec;
  }

  // The legend beside the plot where there is room, else under it.
  function legendOf({ layout }, width) {
    const beside = { orientation: "v", x: 1.02, y: 1 };
    const under = { orientation: "h", x: 0, y: "scene" in layout ? 0 : -0.2 };
    return { ...layout.legend, xanchor: "left", yanchor: "top", ...(width < WIDE ? under : beside) };
  }

  function configOf({ layout }) {
    return {
      displaylogo: false,
      displayModeBar: true,
      modeBarButtons: [BUTTONS["scene" in layout ? "space" : "plane"]],
      responsive: true,
      scrollZoom: false, // the wheel scrolls the page
      doubleClick: "reset",
      showTips: false,
    };
  }

  // The box beside the pointer: a point's image, its class, its index, its place.
  class Tip {
    constructor(stage, images) {
      this.stage = stage;
      this.images = images;
      this.box = stage.parentNode.appendChild(document.createElement("div"));
      this.box.className = "tip";
      this.box.hidden = true;
      this.canvas = images ? this.box.appendChild(document.createElement("canvas")) : null;
      this.name = this.box.appendChild(document.createElement("b"));
      this.number = this.box.appendChild(document.createElement("span"));
      this.place = this.box.appendChild(document.createElement("span"));
      if (images) {
        this.sheet = new Image();
        this.sheet.src = images.sheet;
        const times = Math.max(1, Math.floor(ENLARGED / Math.max(images.width, images.height)));
        Object.assign(this.canvas, { width: images.width, height: images.height });
        Object.assign(this.canvas.style, { width: `${times * images.width}px`, height: `${times * images.height}px` });
      }
      const follow = (event) => ([this.x, this.y] = [event.clientX, event.clientY]);
      for (const name of ["pointermove", "pointerdown"]) stage.addEventListener(name, follow, true);
    }

    // Everything that a user named is set as text.
    show(point) {
      const { name, start } = point.data.meta;
      if (this.images) this.draw(start + point.pointNumber);
      const value = point["marker.color"];
      this.name.textContent = name || (typeof value === "number" ? value.toPrecision(4) : "");
      const place = [point.x, point.y, point.z].filter((one) => one !== undefined).map((one) => one.toPrecision(3));
      this.number.textContent = `no. ${point.customdata}`;
      this.place.textContent = place.join(", ").replaceAll("-", "−");
      this.box.hidden = false;
      this.move();
    }

    draw(k) {
      const { columns, width, height } = this.images;
      const pen = this.canvas.getContext("2d");
      pen.clearRect(0, 0, width, height);
      pen.drawImage(this.sheet, (k % columns) * width, Math.floor(k / columns) * height, width, height, 0, 0, width, height);
    }

    // Beside the pointer, on the side where there is room.
    move() {
      const room = this.stage.getBoundingClientRect();
      const x = (this.x ?? room.left) - room.left;
      const y = (this.y ?? room.top) - room.top;
      const { offsetWidth: width, offsetHeight: height } = this.box;
      const left = x + 16 + width <= room.width ? x + 16 : x - 16 - width;
      const top = Math.min(y - height / 2, room.height - height);
      this.box.style.transform = `translate(${Math.max(0, left)}px, ${Math.max(0, top)}px)`;
    }

    hide() {
      this.box.hidden = true;
    }
  }

  class Live {
    constructor(box) {
      this.figure = box.parentNode;
      this.box = box;
      this.figure.classList.add("alive");
    }

    async draw() {
      if (this.stage) return;
      const width = this.box.clientWidth;
      this.spec ??= prepared(JSON.parse(this.figure.querySelector("script").textContent), width);
      this.spec.layout.legend = legendOf(this.spec, width);
      const stage = (this.stage = this.box.appendChild(document.createElement("div")));
      const tip = new Tip(stage, this.spec.images);
      await Plotly.newPlot(stage, this.spec.data, this.spec.layout, configOf(this.spec));
      if (this.stage !== stage) return; // it has left meanwhile
      if (stage.querySelector(".no-webgl")) throw new Error("WebGL is missing");
      const camera = stage._fullLayout.scene?._scene?.camera;
      if (camera) camera.rotateSpeed = 0.5; // plotly has no option for it; its own makes a finger turn the points over
      const show = ({ points }) => points?.length && tip.show(points[0]);
      stage.on("plotly_hover", show);
      stage.on("plotly_click", show);
      stage.on("plotly_unhover", () => tip.hide());
      stage.on("plotly_relayouting", () => tip.hide());
      stage.on("plotly_webglcontextlost", () => this.stage === stage && this.still());
    }

    // Takes the plot away, and gives its memory back to the browser at once.
    clear() {
      const stage = this.stage;
      if (!stage) return;
      this.stage = null;
      const canvases = [...stage.querySelectorAll("canvas")];
      Plotly.purge(stage);
      for (const canvas of canvases) canvas.getContext("webgl")?.getExtension("WEBGL_lose_context")?.loseContext();
      this.box.replaceChildren();
    }

    // Gives up: the still figure is shown.
    still() {
      watcher.unobserve(this.box);
      this.figure.classList.remove("alive");
      this.clear();
    }

    resize() {
      if (this.stage?.layout) Plotly.relayout(this.stage, { legend: legendOf(this.spec, this.box.clientWidth) });
    }
  }

  if (!able()) return;
  const lives = new Map([...document.querySelectorAll("figure > .live")].map((box) => [box, new Live(box)]));
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const live = lives.get(target);
        if (isIntersecting) live.draw().catch(() => live.stage === null || live.still()); // null: cleared while drawn
        else live.clear();
      }
    },
    { rootMargin: NEAR },
  );
  for (const box of lives.keys()) watcher.observe(box);
  addEventListener("resize", () => lives.forEach((live) => live.resize()));
})();
