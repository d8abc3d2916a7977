// The plot bundle, src/narrows/draw/plot.min.js: the parts of plotly.js that live figures need, in one file that pages
// carry in them and that fetches nothing. It is committed, so that neither users nor tests need node; to build it
// again, after a change here or of a version in package.json: `make plot` (node 20 or later).

import { existsSync, readFileSync, readdirSync } from "node:fs";
import { build } from "esbuild";

const OUT = "../src/narrows/draw/plot.min.js";

// plotly describes each of its options in a sentence; without them the bundle is 6 % smaller.
const DESCRIPTIONS = [
  /^\s*description:\s*\[[\s\S]*?\]\s*\.join\([^)]*\),?/gm,
  /^\s*description:\s*(?:'(?:[^'\\\n]|\\.)*'|"[^"\n]*")\s*,?$/gm,
];
const withoutDescriptions = {
  name: "without descriptions",
  setup(bundle) {
    bundle.onLoad({ filter: /plotly\.js\/src\/.*\.js$/ }, ({ path }) => ({
      contents: DESCRIPTIONS.reduce((text, found) => text.replace(found, ""), readFileSync(path, "utf8")),
    }));
  },
};

const options = {
  entryPoints: ["entry.cjs"],
  bundle: true,
  minify: true,
  format: "iife",
  globalName: "Plotly",
  target: "es2020",
  define: { global: "window", "define.amd": "false" },
  alias: { regl: "@plotly/regl", buffer: "./buffer.cjs" },
  loader: { ".css": "empty" }, // the style of plotly's maps, which are not in the bundle
  plugins: [withoutDescriptions],
  legalComments: "eof",
  logLevel: "warning",
};

const { metafile } = await build({ ...options, write: false, metafile: true, outfile: OUT });
const banner = `/*! ${notices(Object.keys(metafile.inputs)).replaceAll("*/", "* /")}\n*/`;
await build({ ...options, outfile: OUT, banner: { js: banner } });

// The packages in the bundle with their copyrights, and the text of each licence once.
function notices(inputs) {
  const folders = new Set(inputs.map((file) => file.match(/^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//)?.[1]));
  folders.delete(undefined);
  const under = new Map();
  for (const folder of [...folders].sort()) {
    const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`));
    const [copyright, text] = licence(folder, license);
    const key = text.replace(/\W+/g, " ").toLowerCase();
    const found = under.get(key) ?? under.set(key, { text, packages: [] }).get(key);
    found.packages.push(`${name} ${version}${copyright && `: ${copyright}`}`);
  }
  const groups = [...under.values()].map(({ text, packages }) => `${packages.join("\n")}\n\n${text}`);
  const head = "The plot bundle of Narrows, built by plot/build.js from these packages, each under the licence below it.";
  return [head, ...groups, `plotly.js holds these packages:\n${held()}`].join(`\n\n${"-".repeat(80)}\n\n`);
}

// The copyright lines of a package, and the rest of its licence; the licence's name where it brings no text.
function licence(folder, name) {
  const file = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
  const lines = file ? readFileSync(`${folder}/${file}`, "utf8").trim().split(/\r?\n/) : [`Licence: ${name}`];
  const isCopyright = (line) => /^\W*copyright\b.*(\d{4}|©|\(c\))/i.test(line);
  const isHeading = (line) => /^\W*(the )?(mit|isc|bsd)\b.{0,30}$/i.test(line);
  const copyright = lines.filter(isCopyright).map((line) => line.trim()).join("; ");
  return [copyright, lines.filter((line) => !isCopyright(line) && !isHeading(line)).join("\n").trim()];
}

// plotly.js brings the modules of its scenes in space (stackgl) as one file of its own, and lists them beside it.
function held() {
  const path = "node_modules/plotly.js/stackgl_modules/package-lock.json";
  if (!existsSync(path)) throw new Error(`${path} is missing: look where plotly.js lists its stackgl modules now`);
  const packages = Object.entries(JSON.parse(readFileSync(path)).packages);
  const names = packages
    .filter(([path, { dev }]) => path && !dev)
    .map(([path, { version, license }]) => `${path.replace(/.*node_modules\//, "")} ${version} (${license ?? "licence in its package"})`);
  return names.join(", ").replace(/(.{1,100})(, |$)/g, "$1$2\n").trim();
}
