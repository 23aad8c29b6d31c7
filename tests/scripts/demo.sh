#!/bin/bash
# The demo with few rows: every kind of table, through the program as the tests built it.
set -euo pipefail
cd "$(dirname "$0")/../.."
XBK_DEMO_ROWS=${XBK_DEMO_ROWS:-20000} XBKIT=${XBKIT:-${CARGO_TARGET_DIR:-target}/debug/xbkit} exec tests/demo/demo.sh
