// Asks the server for work and has it done by a worker, so that this thread sleeps meanwhile.

const ALIVE_MS = 5000;
const AGAIN_MS = 1000;

class Gone extends Error {}
class Unknown extends Error {}

function show(text) {
  document.getElementById("status").textContent = text;
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// Posts until somebody answers: the server may be out of reach for a while.
async function post(what, document) {
  for (;;) {
    let response;
    let answer;
    try {
      response = await fetch(what, { method: "POST", body: JSON.stringify(document) });
      answer = await response.json();
    } catch (error) {
      if (response !== undefined && response.status === 404) {
        throw new Gone("this address is an old one; open the one that the computer shows");
      }
      show("the computer is out of reach; trying again");
      await sleep(AGAIN_MS);
      continue;
    }
    if (response.ok) return answer;
    if (response.status === 409) throw new Gone(`${answer.gone}; reload to take over here`);
    if (response.status === 410) throw new Unknown();
    if (response.status === 403) throw new Gone(`this page cannot measure: ${answer.refused}`);
    // An answer that has come before, or that is no longer due: there is other work.
    if (what === "answer") return answer;
    throw new Error(`the computer refused ${what}: ${answer.malformed}`);
  }
}

// A worker, and one question to it at a time.
class Bench {
  constructor() {
    this.worker = new Worker("worker.js", { type: "module" });
  }

  ask(request, transfer = []) {
    return new Promise((resolve, reject) => {
      this.worker.onmessage = ({ data }) =>
        "error" in data ? reject(new Error(data.error)) : resolve(data.value);
      this.worker.onerror = (event) => reject(new Error(event.message || "the worker ended"));
      this.worker.postMessage(request, transfer);
    });
  }

  end() {
    this.worker.terminate();
  }
}

// Times that were taken while nobody could see the page are worth nothing: it runs slower then.
let unseen = document.hidden;
document.addEventListener("visibilitychange", () => {
  if (document.hidden) unseen = true;
  else stayAwake();
});

async function seen() {
  while (document.hidden) {
    await new Promise((resolve) =>
      document.addEventListener("visibilitychange", resolve, { once: true }),
    );
  }
  unseen = false;
}

function stayAwake() {
  navigator.wakeLock?.request("screen").catch(() => {});
}

async function describe() {
  const probe = new Bench();
  const found = await probe.ask({ probe: true });
  probe.end();
  // Told to secure pages alone, and by no other than Chromium and its relatives.
  const told = await navigator.userAgentData
    ?.getHighEntropyValues(["model", "platformVersion"])
    .catch(() => undefined);
  return {
    user_agent: navigator.userAgent,
    platform: `${told?.platform || navigator.platform} ${told?.platformVersion ?? ""}`.trim(),
    model: told?.model ?? "",
    cores: navigator.hardwareConcurrency || 1,
    isolated: self.crossOriginIsolated,
    ...found,
  };
}

// The bytes of a file, as soon as it can be had; null if there is no such file any more.
async function download(path) {
  for (;;) {
    try {
      const response = await fetch(path);
      return response.ok ? await response.arrayBuffer() : null;
    } catch {
      show("the computer is out of reach; trying again");
      await sleep(AGAIN_MS);
    }
  }
}

// The compiled runtime, fetched once for all workers of this page.
let runtime;
async function freshBench(settings) {
  runtime ??= await download(settings.runtime);
  const bench = new Bench();
  await bench.ask({ start: { ...settings, binary: runtime } });
  return bench;
}

// The answer to a piece of work; null if it is not wanted any more.
async function done(bench, work) {
  try {
    if (!("load" in work)) return await bench.ask(work);
    const content = await download(`model/${work.work}`);
    return content && (await bench.ask({ ...work, content }, [content]));
  } catch (error) {
    return { error: String(error.message ?? error) };
  }
}

// Tells the server now and then that this page is there; throws if that is no longer wanted.
async function beat(tab, going) {
  while (going()) {
    await sleep(ALIVE_MS);
    if (going() && !document.hidden) await post("alive", { tab });
  }
}

async function campaign(description) {
  const { tab, ...settings } = await post("hello", description);
  let bench;
  let connection;
  let count = 0;
  let going = true;
  const superseded = beat(tab, () => going);
  superseded.catch(() => {}); // Whoever waits for it hears of it.
  try {
    for (;;) {
      await seen();
      const work = await post("work", { tab });
      show(work.work === null ? "ready; waiting for the computer" : "measuring");
      if (work.work === null) continue;
      if (work.connection !== connection) {
        bench?.end();
        bench = await Promise.race([freshBench(settings), superseded]);
        connection = work.connection;
      }
      const answer = await Promise.race([done(bench, work), superseded]);
      if (unseen || answer === null) continue;
      await post("answer", { tab, work: work.work, answer });
      count += work.time?.length ?? 0;
      document.getElementById("count").textContent = `${count} visits`;
    }
  } finally {
    going = false;
    bench?.end();
  }
}

stayAwake();
for (;;) {
  try {
    await campaign(await describe());
  } catch (error) {
    if (error instanceof Unknown) continue;
    show(error.message);
    if (error instanceof Gone) break;
    await sleep(AGAIN_MS);
  }
}
