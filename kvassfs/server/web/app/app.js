/** The page that makes a browser a device of its own. */

import { registerWorker } from "./registration.js";

registerWorker().catch((error) => console.warn("the page does not work offline:", error));
