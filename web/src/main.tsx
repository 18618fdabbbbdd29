import "uplot/dist/uPlot.min.css";
import "./style.css";
import { render } from "preact";
import { prepare } from "./live.ts";
import { path } from "./router.ts";
import { Shell } from "./shell.tsx";
import { applyTheme } from "./state.ts";

applyTheme();
if (!path.value.startsWith("/login")) prepare();
const place = document.getElementById("app");
if (place) {
  place.replaceChildren();
  render(<Shell />, place);
}
