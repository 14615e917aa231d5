// LiteRT.js on the CPU (wasm), as a page of one's own would use it. It tells no scale: uint8 scores stay as they are.
import {loadAndCompile, loadLiteRt, Tensor} from "@litertjs/core";

export async function answer(modelUrl, photosUrl, [count, ...shape]) {
    await loadLiteRt("/modules/@litertjs/core/wasm/");
    const model = await loadAndCompile(modelUrl, {accelerator: "wasm"});
    const photos = new Uint8Array(await (await fetch(photosUrl)).arrayBuffer());
    const size = shape.reduce((product, side) => product * side);
    const isFloat = model.getInputDetails()[0].dtype === "float32";
    const scores = [];
    for (let number = 0; number < count; number++) {
        const pixels = photos.slice(number * size, (number + 1) * size);
        const input = new Tensor(isFloat ? Float32Array.from(pixels) : pixels, [1, ...shape]);
        const [output] = await model.run(input);
        scores.push(Array.from(await output.data()));
        input.delete();  // its heap is not the collector's
        output.delete();
    }
    return {scores, integers: !isFloat};
}
