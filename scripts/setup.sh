#!/bin/sh
# Makes the virtual environments. `setup.sh place` creates .venv, `setup.sh runtime` and `setup.sh dev` fill it from the
# lock file of that name and leave a stamp. `setup.sh NAME` makes .venv-NAME from requirements/NAME.txt, and leaves the
# stamp `ready`: `hf` and `hf1` are the newest upload CLI and that of huggingface_hub 1.x, `readers` what people read the
# datasets with. An interrupted run leaves no stamp, so the next one does it again.
set -eu
kind=$1
venv=.venv

create() {
    if ! "${PYTHON:-python3}" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo "setup: ${PYTHON:-python3} is not there or older than 3.11: name a newer one, such as PYTHON=python3.12" >&2
        exit 1
    fi
    rm -rf "$1"
    "${PYTHON:-python3}" -m venv "$1" >&2
}

install() {
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "requirements/$2.txt" >&2
}

if [ "$kind" = place ]; then
    create "$venv"
    printf '%s\n' "$PWD" >"$venv/place"
    exit 0
fi

echo "setup: installing requirements/$kind.txt (once)" >&2
case $kind in
runtime | dev)
    install "$venv" "$kind"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable . >&2
    touch "$venv/runtime" "$venv/$kind" # dev.txt holds all of runtime.txt, in the same versions
    ;;
*)
    create ".venv-$kind"
    install ".venv-$kind" "$kind"
    printf '%s\n' "$PWD" >".venv-$kind/ready"
    ;;
esac
