#!/bin/sh
# Checks this bundle on this machine's GPU and writes check.json beside itself.
#
#     ./check.sh                 # parity, benches, a bounded run of the study: an hour, at a guess
#     ./check.sh --quick         # the same, shorter: some minutes
#     PYTHON=/opt/venv/bin/python ./check.sh
#
# It needs a Python with torch 2.11.0 (its libraries are the ones that catscan runs on); torchvision
# 0.26 is used if it is there. Nothing is downloaded. Ends with 0 if all passed and all goals of speed
# are met, 1 if something did not pass, 2 if it cannot run, 3 where there is no CUDA device (the
# processor's half is checked then, and check.json says so), 4 if all passed but a goal is not met or
# was not measured. Ctrl-C keeps in check.json what was measured. README.md says what is not checked.
set -u
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
# Where torch lies, without importing it.
folder=$("$python" -c 'import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])' 2>/dev/null)
if [ -z "$folder" ]; then
  echo "$python: has no torch; name a Python that has torch 2.11.0: PYTHON=... $0" >&2
  exit 2
fi
LD_LIBRARY_PATH="$folder/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export LD_LIBRARY_PATH
exec "$python" "$here/scripts/gpu/check.py" --bundle "$here" --torch "$folder" "$@"
