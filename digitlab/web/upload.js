/** A button that sends a file to the kernel: of a larger one than that takes, only the beginning. */

export default {
  /** @param {{model: any, el: HTMLElement}} view */
  render({ model, el }) {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = model.get("accept");
    input.hidden = true;
    const button = document.createElement("button");
    button.className = "jupyter-widgets jupyter-button widget-button";
    button.textContent = model.get("description");
    button.addEventListener("click", () => input.click());
    input.addEventListener("change", async () => {
      const [file] = input.files ?? [];
      if (!file) return;
      // A message that is too large would never arrive, and nobody could say why.
      const content = await file.slice(0, model.get("most_bytes") + 1).arrayBuffer();
      input.value = ""; // so that the same file can be chosen again
      model.send({ name: file.name }, undefined, [content]);
    });
    el.append(button, input);
  },
};
