#!/usr/bin/env bash
# The main job on a real agent: recorded, verified, read, filtered, and replayed with the model server gone.
#   examples/demo.sh [FOLDER-OF-AGENTTRACE]      (`make demo` builds everything first)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bin=${1:+$(cd "$1" && pwd)}
export PATH="${bin:+$bin:}$PATH"
root=$(cd "$here/.." && pwd)
work=$root/.build/demo
mkdir -p "$work"
cd "$work"

say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }
run() { say "$@"; "$@"; }

# The agent lives in an environment of its own: the openai package, and nothing of ours.
echo "Making the agent's own environment, with the openai package (once) ..."
agent_python=$(python3 "$root/tools/agent_environment.py")

rm -f port weather.jsonl
python3 "$here/model_server.py" --port 0 --port-file port >/dev/null 2>&1 &
server=$!
trap 'kill $server 2>/dev/null || true' EXIT
for _ in $(seq 200); do [ -s port ] && break; sleep 0.05; done
export OPENAI_BASE_URL=http://127.0.0.1:$(cat port)/v1 OPENAI_API_KEY=sk-demo-key-that-no-trace-holds-0123

agent=("$agent_python" "$here/weather_agent.py")
run agenttrace record -o weather.jsonl -- "${agent[@]}" "What is the weather in Zürich?"
run agenttrace verify weather.jsonl
run agenttrace cat --to text weather.jsonl
say "agenttrace filter '.kind==\"llm_response\"' weather.jsonl | jq -c .data.usage"
agenttrace filter '.kind=="llm_response"' weather.jsonl |
  python3 -c 'import json, sys; [print(json.dumps(json.loads(line)["data"]["usage"])) for line in sys.stdin]'

echo
echo "The model server stops here; what follows is offline."
kill $server
wait $server 2>/dev/null || true
run agenttrace replay weather.jsonl -- "${agent[@]}" "What is the weather in Zürich?"

echo
echo "One word of the prompt changed:"
say "agenttrace replay weather.jsonl -- ... \"What is the weather in Basel?\""
status=0
agenttrace replay weather.jsonl -- "${agent[@]}" "What is the weather in Basel?" || status=$?
echo "status $status"
[ "$status" = 123 ]

echo
echo "Browse it:  $(command -v agenttrace) tui $work/weather.jsonl"
