#!/bin/sh
# Runs a command with HFD as the path of hfd, a server of the Hub's API that others wrote (Apache-2.0): the one that HFD
# names already, or one that is built into .hfd. Where it cannot be built it says why, and leaves the command out.
set -eu
module=github.com/matrixhub-ai/hfd
version=${HFD_VERSION:-v0.0.0-20260313080511-1e4f46786585}

skip() {
    echo "hfd: skipped: $1" >&2
    exit 0
}

if [ -z "${HFD:-}" ]; then
    folder=$PWD/.hfd/$version
    HFD=$folder/hfd
    if [ ! -x "$HFD" ]; then
        command -v go >/dev/null || skip "there is no Go, which it is built with (1.25 or newer)"
        said=$(GOBIN=$folder go install "$module/cmd/hfd@$version" 2>&1) ||
            skip "go install $module/cmd/hfd@$version: $(printf '%s\n' "$said" | tail -n 1)"
    fi
fi
export HFD
exec "$@"
