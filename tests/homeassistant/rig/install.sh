#!/bin/sh
# install.sh VERSION VENV - installs Home Assistant and what its integrations need; runs inside the root folder.
set -e
version=$1 venv=$2
python3 -m venv "$venv"
"$venv/bin/pip" install -q uv
"$venv/bin/uv" pip install -q --python "$venv/bin/python" "homeassistant==$version"
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
"$venv/bin/python" /rig/requirements.py "$site" /rig/integrations.txt >"$venv/requirements.txt"
"$venv/bin/uv" pip install -q --python "$venv/bin/python" \
    -c "$site/homeassistant/package_constraints.txt" -r "$venv/requirements.txt"
# Home Assistant only asks ffmpeg for its version.
printf '#!/bin/sh\necho "ffmpeg version n7.1 Copyright (c) stub"\n' >"$venv/bin/ffmpeg"
chmod +x "$venv/bin/ffmpeg"
echo "import os; os.environ.get('RIG_OFFLINE') and __import__('runpy').run_path('/rig/loopback_guard.py')" >"$site/rig_guard.pth"
