import "uplot/dist/uPlot.min.css";
import "./style.css";
import { render } from "preact";
import { Shell } from "./shell.tsx";
import { applyTheme } from "./state.ts";

applyTheme();
const place = document.getElementById("app");
if (place) {
  place.replaceChildren();
  render(<Shell />, place);
}
