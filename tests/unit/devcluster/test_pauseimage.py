"""The pause image is one that containerd imports."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

from devcluster import pauseimage


def test_the_archive_holds_the_program_under_its_digest(tmp_path: Path):
    (tmp_path / "pause").write_bytes(b"program")

    pauseimage.write(tmp_path / "pause", tmp_path / "pause.tar")

    with tarfile.open(tmp_path / "pause.tar") as archive:
        files = {entry.name: archive.extractfile(entry).read() for entry in archive}  # type: ignore[union-attr]
    manifest = json.loads(files["manifest.json"])[0]
    config = json.loads(files[manifest["Config"]])
    layer = files[manifest["Layers"][0]]
    assert manifest["RepoTags"] == [pauseimage.NAME]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    with tarfile.open(fileobj=io.BytesIO(layer)) as inner:
        assert inner.getmember("pause").mode == 0o755
