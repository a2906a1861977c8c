#!/bin/sh
# Sees to a Chromium for the tests of the app: one that is there, or the system's package, or Playwright's own build.
# usage: install_browser.sh PYTHON
set -eu
for browser in chromium chromium-browser google-chrome google-chrome-stable chrome; do
    if command -v "$browser" >/dev/null; then
        exit 0
    fi
done
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null
else
    "$1" -m playwright install chromium
fi
