#!/usr/bin/env bash
# demo.sh MODEL: a poem through the C example and one through Python.
set -euo pipefail
cd "$(dirname "$0")/.."
model=$1
echo
echo "C: 写一首五言绝句，题目是《山中》"
timeout 120 build/examples/chat -t 0 -p "写一首五言绝句，题目是《山中》" "$model"
echo
echo "Python: 写一首七言绝句，题目是《江上》"
timeout 120 .venv/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps build/wheel/*.whl
timeout 120 .venv/bin/python - "$model" <<'END'
import sys
import alpaca

model = alpaca.Model(sys.argv[1])
for piece in model.generate("写一首七言绝句，题目是《江上》", temperature=0):
    print(piece, end="", flush=True)
print()
END
