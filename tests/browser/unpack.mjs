// Unpacks Chromium and the libraries it needs into the temporary folder that TMPDIR names.

import chromium from "@sparticuz/chromium";

await chromium.executablePath();
