// Builds the dashboard's bundle: node build.mjs [--to FOLDER] [--tests]
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const BUDGET = 220_000;
const LICENSED = ["preact", "@preact/signals", "@preact/signals-core", "uplot"];

const shared = {
  bundle: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  absWorkingDir: HERE,
  logLevel: "warning",
};

async function tests() {
  const folder = join(HERE, "node_modules", ".tests");
  rmSync(folder, { recursive: true, force: true });
  const entryPoints = readdirSync(join(HERE, "test")).map((name) => join("test", name));
  await build({ ...shared, entryPoints, outdir: folder, platform: "node", outExtension: { ".js": ".mjs" } });
  const files = readdirSync(folder).map((name) => join(folder, name));
  execFileSync(process.execPath, ["--test", ...files], { stdio: "inherit" });
}

function hashed(name, content) {
  const [stem, ending] = name.split(".");
  return `${stem}-${createHash("sha256").update(content).digest("hex").slice(0, 10)}.${ending}`;
}

function licences() {
  const texts = LICENSED.map((name) => {
    const folder = join(HERE, "node_modules", name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const text = readFileSync(join(folder, "LICENSE"), "utf8").trim();
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
  return `The dashboard contains these libraries.\n\n${texts.join(`\n${"-".repeat(78)}\n\n`)}`;
}

async function bundle(folder) {
  const made = await build({
    ...shared,
    entryPoints: { app: "src/main.tsx" },
    outdir: "out",
    write: false,
    minify: true,
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const files = new Map();
  const entry = {};
  for (const { path, contents } of made.outputFiles) {
    const kind = path.endsWith(".css") ? "style" : "script";
    entry[kind] = hashed(kind === "style" ? "app.css" : "app.js", contents);
    files.set(entry[kind], contents);
  }
  const icon = readFileSync(join(HERE, "src", "icon.svg"));
  entry.icon = hashed("icon.svg", icon);
  files.set(entry.icon, icon);
  files.set("LICENSES.txt", licences());
  const size = [...files.values()].reduce((sum, content) => sum + content.length, 0);
  if (size > BUDGET) throw new Error(`the bundle has ${size} bytes, and may have ${BUDGET}`);
  const manifest = { entry, files: [...files.keys()].sort() };
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of files) writeFileSync(join(folder, name), content);
  writeFileSync(join(folder, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  console.error(`${folder}: ${size} bytes`);
}

const to = process.argv.indexOf("--to");
if (process.argv.includes("--tests")) await tests();
else
  await bundle(
    to > 0 ? resolve(process.argv[to + 1]) : join(HERE, "..", "src", "mxgateway_server", "dashboard", "static"),
  );
