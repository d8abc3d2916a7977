// What the plot bundle holds: plotly's core and four kinds of traces. scattergl is the form whose WebGL commands were
// compiled beforehand: the usual one compiles them in the browser by `new Function`, which our pages forbid.
const Plotly = require("plotly.js/lib/core");

Plotly.register([
  require("plotly.js/src/traces/scattergl/strict"),
  require("plotly.js/lib/scatter3d"),
  require("plotly.js/lib/heatmap"),
  require("plotly.js/lib/bar"),
]);

module.exports = Plotly;
