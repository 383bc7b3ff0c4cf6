#!/usr/bin/env bash
# Takes the pictures of docs/images from a running system: the live view of `ibkeeper up` in a
# terminal; in the Prefect UI the run of chain-snapshot and its table, the report of the connection
# and a failover-drill; the status page after two outages. About five minutes. Needs tmux, Chromium
# and Fira Code (apt-get install tmux chromium fonts-firacode: other fonts break the lines of the
# view); runs in a state folder of its own, on the ports that IBKEEPER_PREFECT__PORT and its like
# say. Fails when an artifact is missing. Usage: docs/screenshots.sh [folder]
set -euo pipefail
cd "$(dirname "$0")/.."
images=${1:-docs/images}; work=$(mktemp -d); pane="ibkeeper-$$"; api=http://127.0.0.1:${IBKEEPER_PREFECT__PORT:-4200}
export IBKEEPER_HOME="$work/home" PREFECT_API_URL="$api/api"
# Markets may be closed where this runs: every minute since the start counts.
export IBKEEPER_SLA__HOURS=always
[ -n "$(fc-list 'Fira Code')" ] || { echo "Fira Code is not installed: apt-get install fonts-firacode" >&2; exit 1; }
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
stop() {
  tmux send-keys -t "$pane" C-c 2>/dev/null || true
  for _ in $(seq 60); do tmux has-session -t "$pane" 2>/dev/null || break; sleep 0.5; done
  rm -rf "$work"
}
trap stop EXIT
shoot() { # URL FILE WIDTH,HEIGHT
  "$chromium" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars \
    --disable-background-networking --disable-component-update --disable-sync \
    --user-data-dir="$(mktemp -d -p "$work")" --window-size="$3" --virtual-time-budget=20000 \
    --screenshot="$2" "$1" >"$work/chromium.log" 2>&1 || { cat "$work/chromium.log"; return 1; }
}
view() { # COLUMNS LINES FILE
  tmux resize-window -t "$pane" -x "$1" -y "$2"; sleep 3
  tmux capture-pane -e -p -t "$pane" >"$work/pane.txt"
  .venv/bin/python docs/terminal_picture.py "$work/pane.txt" "$work/pane.svg" "$1"
  size=$(.venv/bin/python -c "import re,sys; print('%d,%d' % tuple(float(n)+1 for n in re.search(r'viewBox=\"0 0 ([\d.]+) ([\d.]+)\"', open(sys.argv[1]).read()).groups()))" "$work/pane.svg")
  shoot "file://$work/pane.svg" "$3" "$size"
}
mkdir -p "$images"
tmux new-session -d -s "$pane" -x 120 -y 36 "COLORTERM=truecolor .venv/bin/ibkeeper up"
until .venv/bin/ibkeeper status --json | grep -q '"ready": true'; do sleep 1; done
run() { # DEPLOYMENT [PARAMETERS]: run it to its end; say its id
  .venv/bin/prefect deployment run "$1/$1" ${2:+--param "request=$2"} --watch >"$work/flow.log" 2>&1 ||
    { cat "$work/flow.log" >&2; return 1; }
  grep -o 'flow-run/[0-9a-f-]*' "$work/flow.log" | head -n 1
}
artifact() { # KEY: say the id of its newest artifact, or fail
  curl -sf -X POST "$api/api/artifacts/latest/filter" -H 'Content-Type: application/json' -d '{"limit": 200}' |
    .venv/bin/python -c "import json,sys; print(next(a['latest_id'] for a in json.load(sys.stdin) if a['key'] == sys.argv[1]))" "$1"
}
# Not what expires today: in the evening it has neither a bid nor a volatility.
id=$(run chain-snapshot '{"min_dte": 1}')
view 120 36 "$images/terminal.png"
view 160 45 "$images/terminal-wide.png"
shoot "$api/runs/$id" "$images/prefect-run.png" 1400,1000
shoot "$api/artifacts/artifact/$(artifact chain-snapshot-spy)" "$images/prefect-chain-snapshot.png" 1400,1000
artifact chain-snapshot-spy-smile >/dev/null
run failover-drill '{"scenario": "drop", "market_open_allowed": true}' >/dev/null
shoot "$api/artifacts/artifact/$(artifact failover-drill)" "$images/prefect-drill.png" 1400,1000
run connection-report "{\"report\": \"daily\", \"day\": \"$(TZ=America/New_York date +%F)\"}" >/dev/null
shoot "$api/artifacts/artifact/$(artifact connection-sla-daily-main)" "$images/prefect-sla.png" 1400,1500
.venv/bin/ibkeeper sim fault 1100 --for 15 >/dev/null; sleep 45
.venv/bin/ibkeeper sim fault refuse --for 20 >/dev/null; sleep 75
shoot "http://127.0.0.1:${IBKEEPER_HTTP__PORT:-8010}/" "$images/status-page.png" 1280,1300
ls -l "$images"
