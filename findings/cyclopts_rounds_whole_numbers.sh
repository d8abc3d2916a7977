#!/usr/bin/env bash
# cyclopts 5.4.0: the text of an option that is annotated as `int` is rounded if it is a decimal fraction.
#
# Expected: `--epochs 1.5` is refused, as int("1.5") is in Python.
# Seen (version below): it is accepted, as round(float("1.5")): 1.5 becomes 2, 2.5 becomes 2 too (halves go to the even
# number), while 1e3 is refused. Exits with 0 while that is so, else with 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet cyclopts==5.4.0
cat > "$folder/app.py" <<'PY'
from cyclopts import App

app = App()


@app.default
def main(epochs: int) -> None:
    print(epochs)


app()
PY
seen=""
for text in 1.5 2.5; do
    seen="$seen$("$folder/venv/bin/python" "$folder/app.py" --epochs "$text") "
done
echo "1.5 and 2.5 become: $seen"
[ "$seen" = "2 2 " ]
