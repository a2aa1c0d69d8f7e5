#!/bin/sh
# Makes the virtual environment: `setup.sh place` creates it, `setup.sh runtime` and `setup.sh dev` fill it from the
# lock file of that name and leave a stamp. An interrupted run leaves none, so the next one does it again.
set -eu
kind=$1
venv=.venv

if [ "$kind" = place ]; then
    if ! "${PYTHON:-python3}" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo "setup: ${PYTHON:-python3} is not there or older than 3.11: name a newer one, such as PYTHON=python3.12" >&2
        exit 1
    fi
    rm -rf "$venv"
    "${PYTHON:-python3}" -m venv "$venv" >&2
    printf '%s\n' "$PWD" >"$venv/place"
    exit 0
fi

echo "setup: installing requirements/$kind.txt (once)" >&2
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "requirements/$kind.txt" >&2
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable . >&2
touch "$venv/runtime" "$venv/$kind" # dev.txt holds all of runtime.txt, in the same versions
