// Loads models and times them. It has one thread to itself, and nothing else happens there.

const WARMUP_RUNS = 5;
// A batch of runs lasts this many steps of the clock, so that a step is 1% of what is timed.
const STEPS = 100;
const MARGIN = 1.25;
const PROBE_MS = 500;

const models = new Map();
let ort;
let provider;
let resolution;

// The least step of the clock, in milliseconds.
function clockStep() {
  const begun = performance.now();
  let least = Infinity;
  for (let i = 0; i < 200 && (least === Infinity || performance.now() - begun < PROBE_MS); i++) {
    const before = performance.now();
    let after = before;
    while (after === before) after = performance.now();
    least = Math.min(least, after - before);
  }
  return least;
}

async function probe() {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  return { resolution_ms: clockStep(), webgpu: Boolean(adapter) };
}

async function start(settings) {
  resolution = clockStep();
  provider = settings.provider;
  ort = await import(new URL(settings.library, self.location.href).href);
  ort.env.logLevel = "error";
  ort.env.wasm.numThreads = settings.threads;
  ort.env.wasm.wasmPaths = { mjs: new URL(settings.loader, self.location.href).href };
  ort.env.wasm.wasmBinary = settings.binary;
  return true;
}

function filled(type, dims) {
  const size = dims.reduce((product, side) => product * side, 1);
  // The same numbers each time; between -1 and 1, never denormal.
  const real = (i) => Math.fround((((i * 7919) % 2000) - 999.5) / 1000);
  const make = {
    float32: () => Float32Array.from({ length: size }, (_, i) => real(i)),
    float64: () => Float64Array.from({ length: size }, (_, i) => real(i)),
    float16: () => new Uint16Array(size).fill(0x3800),
    uint8: () => Uint8Array.from({ length: size }, (_, i) => (i * 7919) % 256),
    int8: () => new Int8Array(size),
    int32: () => new Int32Array(size),
    int64: () => new BigInt64Array(size),
    bool: () => new Uint8Array(size),
  }[type];
  if (make === undefined) throw new Error(`inputs of type ${type} are not known to the timer`);
  return new ort.Tensor(type, make(), dims);
}

async function load({ load: name, content, shapes, warmup_s: warmup }) {
  await models.get(name)?.session.release();
  models.delete(name);
  const session = await ort.InferenceSession.create(new Uint8Array(content), {
    executionProviders: [provider],
    graphOptimizationLevel: "all",
    executionMode: "sequential",
  });
  const feeds = {};
  for (const input of session.inputMetadata) {
    const sides = shapes[input.name] ?? input.shape.map((s) => (Number.isInteger(s) && s > 0 ? s : 1));
    feeds[input.name] = filled(input.type, sides);
  }
  const model = { session, run: () => session.run(feeds), batch: 1, known: false };
  const begun = performance.now();
  for (let i = 0; i < WARMUP_RUNS || performance.now() - begun < 1e3 * warmup; i++) {
    await model.run();
  }
  models.set(name, model);
  return { run_ms: Math.min(...(await timed(model, 2))) };
}

// Milliseconds of `runs` runs; each is the mean of a batch where the clock is too coarse for one.
async function timed(model, runs) {
  const enough = STEPS * resolution;
  const times = [];
  while (times.length < runs) {
    const begun = performance.now();
    for (let i = 0; i < model.batch; i++) await model.run();
    const took = performance.now() - begun;
    if (took < enough) {
      model.batch = Math.ceil((MARGIN * model.batch * enough) / Math.max(took, resolution));
      times.length = 0;
    } else {
      times.push(took / model.batch);
    }
  }
  return times;
}

async function visit(name, runs) {
  const model = models.get(name);
  if (model === undefined) throw new Error(`model '${name}' was not loaded`);
  // The first pass over a model is slow, because the browser compiles better while it runs.
  if (!model.known) await timed(model, runs);
  model.known = true;
  await model.run();
  return { model: name, ms: await timed(model, runs) };
}

async function time({ time: names, runs }) {
  const samples = [];
  for (const name of names) samples.push(await visit(name, runs));
  return { samples };
}

async function answer(request) {
  if ("probe" in request) return probe();
  if ("start" in request) return start(request.start);
  if ("load" in request) return load(request);
  return time(request);
}

self.onmessage = async ({ data }) => {
  try {
    self.postMessage({ value: await answer(data) });
  } catch (error) {
    self.postMessage({ error: String(error?.message ?? error) });
  }
};
