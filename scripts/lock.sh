#!/bin/sh
# Compiles the lock files: hashed, for every platform, without the addresses of a registry. runtime.txt is constrained by
# dev.txt, so that both hold the same versions; the others are environments of their own.
set -eu
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
"${PYTHON:-python3}" -m venv "$tools"
"$tools/bin/python" -m pip install --quiet --disable-pip-version-check 'uv>=0.8'
compile() {
    "$tools/bin/uv" pip compile --quiet --universal --upgrade --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-annotate --no-header "$@"
}
compile --extra dev --extra build --constraints requirements/cli.in --output-file requirements/dev.txt pyproject.toml
compile --extra build --constraints requirements/dev.txt --output-file requirements/runtime.txt pyproject.toml
for name in readers hf hf1; do
    compile --output-file "requirements/$name.txt" "requirements/$name.in"
done
