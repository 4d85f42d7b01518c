"use strict";
// A chart as a file: SVG, PNG at twice its size, or its numbers.
const Export = (() => {
  function hand(blob, name) {
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }
  async function png(text) {
    const picture = new Image();
    picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
    await picture.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: 2 * picture.width, height: 2 * picture.height });
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    return new Promise((done) => { canvas.toBlob(done, "image/png"); });
  }
  async function save(kind, element, spec, name) {
    const file = `${name.toLowerCase().replace(/[^a-z0-9]+/g, "-")}.${kind}`;
    if (kind === "csv") return hand(new Blob([Tables.csv(spec)], { type: "text/csv" }), file);
    const text = Chart.svgText(element);
    return hand(kind === "svg" ? new Blob([text], { type: "image/svg+xml" }) : await png(text), file);
  }
  return { save };
})();
