#!/bin/sh
# sh layout.sh FOLDER glibc|musl PYTHON…: what the Operator puts on PYTHONPATH, for several versions of Python at once. Compiled modules carry the version in their
# names, so that they lie side by side; everything else is the same for all. OTEL_AGENTS: what to install, `otel-agents==X.Y` or a wheel.
set -eu
folder=$1 libc=$2
shift 2
arch=$(uname -m)
case $libc in
  glibc) platforms="manylinux_2_28_$arch manylinux_2_17_$arch manylinux2014_$arch" ;;
  musl) platforms="musllinux_1_2_$arch musllinux_1_1_$arch" ;;
  *) echo "layout.sh: $libc is neither glibc nor musl" >&2; exit 2 ;;
esac
mkdir -p "$folder"
for python; do
  part=$(mktemp -d)
  set -- --only-binary=:all: --no-compile --implementation cp --python-version "$python" --target "$part"
  for platform in $platforms; do set -- "$@" --platform "$platform"; done
  python -m pip install --quiet --disable-pip-version-check "$@" "${OTEL_AGENTS:-otel-agents}"
  rm -rf "$part/bin"
  cp -R "$part/." "$folder"
  rm -rf "$part"
done
cp "$folder/otel_agents/layer/sitecustomize.py" "$folder" # the Operator puts this folder on PYTHONPATH, where no .pth file is read
chmod -R a+rX "$folder"
