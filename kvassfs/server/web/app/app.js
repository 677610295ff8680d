/** The page that makes a browser a device of its own. */

import { startViews } from "../views/shell.js";
import { takeSecret } from "../views/routes.js";
import { LocalDevice } from "./local_device.js";
import { registerWorker } from "./registration.js";

const secret = takeSecret(); // before anything else: nothing else is to see it
const device = new LocalDevice(new URL("..", location.href.replace(/#.*/s, "")).href);
const { tellNew } = startViews(device, secret);
device.start().catch((error) => device.fail(error));
registerWorker(tellNew).catch((error) => console.warn("the page does not work offline:", error));
