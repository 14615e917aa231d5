// A photo comes in (chosen, dropped or pasted), goes to the API, and its answer is shown.

const TOP_K = 5;
const NO_ANSWER = "The server does not answer. Is it still running?";

const at = (id) => document.getElementById(id);
const form = at("upload");
let asking = null; // AbortController of the question under way

async function classify(files) {
  if (files.length === 0) return;
  asking?.abort();
  const mine = (asking = new AbortController());
  const photo = files[0];
  showPhoto(photo);
  at("answer").setAttribute("aria-busy", "true");
  try {
    const answer = await ask(photo, mine.signal);
    showAnswer(answer, files.length);
  } catch (error) {
    if (mine.signal.aborted) return; // a newer photo took its place
    showError(error.message);
  }
  at("answer").setAttribute("aria-busy", "false");
}

async function ask(photo, signal) {
  const limit = Number(form.dataset.maxBytes);
  if (photo.size > limit) {
    throw new Error(`This file has ${megabytes(photo.size)}, at most ${megabytes(limit)} are taken; choose a smaller photo.`);
  }
  const body = new FormData();
  body.append("image", photo, "photo"); // the file's own name stays here
  body.append("top_k", TOP_K);
  let response;
  let answer;
  try {
    response = await fetch(form.action, { method: "POST", body, signal });
    answer = await response.json();
  } catch (error) {
    throw signal.aborted ? error : new Error(NO_ANSWER);
  }
  if (!response.ok) throw new Error(answer.error.message);
  return answer;
}

function showPhoto(photo) {
  const preview = at("preview");
  URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(photo);
  setPreviewShown(true);
  at("choose").textContent = "Choose another photo";
  at("waiting").textContent = "Looking …";
  if (at("result").hidden) show("waiting"); // else the last answer stays, dimmed, until the next is here
}

function setPreviewShown(shown) {
  at("preview").hidden = !shown;
  at("invitation").hidden = shown;
}

function showAnswer({ model, predictions, latency_ms }, count) {
  const [best] = predictions;
  at("label").textContent = best.label;
  at("confidence").textContent = percent(best.confidence);
  at("bars").replaceChildren(...predictions.map(bar));
  const first = count > 1 ? `The first of ${count} photos. ` : "";
  at("facts").textContent = `${first}${model} took ${latency_ms.toFixed(1)} ms, decoding included.`;
  show("verdict", "result");
}

function bar({ label, confidence }) {
  const row = document.createElement("li");
  row.append(span("name", label), span("share", percent(confidence)), span("bar"));
  const fill = span("fill");
  fill.style.setProperty("--confidence", Math.min(Math.max(confidence, 0), 1));
  row.lastChild.append(fill);
  return row;
}

function span(name, text = "") {
  const element = document.createElement("span");
  element.className = name;
  element.textContent = text;
  return element;
}

function showError(message) {
  at("error").textContent = message;
  show("error");
}

function show(...shown) {
  for (const id of ["waiting", "error", "verdict", "result"]) at(id).hidden = !shown.includes(id);
}

function percent(share) {
  return `${(share * 100).toFixed(1)} %`;
}

function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

at("preview").addEventListener("error", () => setPreviewShown(false)); // no format that the browser shows
at("photo").addEventListener("change", ({ target }) => {
  classify([...target.files]);
  target.value = ""; // so that choosing the same file again asks again
});
form.addEventListener("submit", (event) => event.preventDefault());

// The whole window takes a drop, or a photo that misses the field would replace the page.
addEventListener("dragover", (event) => {
  event.preventDefault();
  at("drop").classList.add("over");
});
addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) at("drop").classList.remove("over");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  at("drop").classList.remove("over");
  classify([...event.dataTransfer.files]);
});
addEventListener("paste", (event) => classify([...event.clipboardData.files]));
