/** A prediction of the kernel's, shown as the exported page shows its own: answer, picture, bars. */

import { Bars, answer, makeElement } from "./view.js";

const SEEN = "What the network sees";

export default {
  /** @param {{model: any, el: HTMLElement, signal: AbortSignal}} view */
  render({ model, el, signal }) {
    const readout = makeElement("div", "digitlab-prediction");
    readout.setAttribute("role", "status");
    const said = makeElement("div", "digitlab-said"); // beside it the pen may put a word of its own
    readout.append(said);
    const picture = makeElement("figure", "digitlab-picture");
    const image = document.createElement("img");
    image.alt = `${SEEN}, 28 by 28 pixels`;
    const frame = makeElement("div"); // black, also while there is no picture
    frame.append(image);
    picture.append(frame, makeElement("figcaption", "", SEEN));
    const head = makeElement("div", "digitlab-head");
    head.append(readout, picture);
    const bars = new Bars();
    el.append(head, bars.element);
    const show = () => {
      const { prediction, message, picture: source, isDrawing } = model.get("state");
      // Sixty answers a second are noise to the ear: a screen reader waits for the last.
      readout.setAttribute("aria-busy", String(isDrawing));
      said.replaceChildren(...(prediction ? answer(prediction) : [message]));
      if (source) image.src = source;
      image.hidden = !source;
      bars.show(prediction);
    };
    model.on("change:state", show);
    signal.addEventListener("abort", () => model.off("change:state", show));
    show();
  },
};
