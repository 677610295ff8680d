/** The page with a store in memory, for the tests of its views. */

import { takeSecret } from "../views/routes.js";
import { startViews } from "../views/shell.js";
import { FakeDevice } from "./fake_device.js";

const opened = takeSecret();
window.fake = new FakeDevice(window.scenario);
startViews(window.fake, opened);
