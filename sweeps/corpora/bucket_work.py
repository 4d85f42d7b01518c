"""Work on the documents of one bucket: in this process if they are few, else in one process per core.

`python -m sweeps.corpora.bucket_work inspect|encode FOLDER FIRST STEP` does every STEP-th bucket from the
FIRST on. Each writes its own files next to the bucket. Nothing else is shared.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sweeps.config.execution import cores
from sweeps.corpora import cleaning, spool
from sweeps.corpora.encoding import Encoder
from sweeps.corpora.tokens import END, read_tokenizer

MOST = 8  # processes: each holds a tokenizer's words
POLL_S = 0.2  # between two checks of progress
JOB = "job.json"  # the settings of both tasks: sample, tokenizer, dtype, literal, ends

Job = dict[str, Any]


def inspect(folder: Path, bucket: int, job: Job) -> None:
    """Decide which documents are empty, copies or generated, and leave the shingles of the others."""
    records = spool.read_index(folder, bucket)
    digest = records["digest"]
    copy = np.zeros(len(records), bool)
    copy[1:] = (digest[1:] == digest[:-1]).all(axis=1)
    counts = np.zeros(len(records), np.int64)
    with (folder / f"{bucket:03}.shingles").open("wb") as file:
        for row, text in enumerate(spool.texts(folder, bucket, records)):
            fate = _fate(text, int(records["code"][row]), bool(copy[row]))
            records["fate"][row] = spool.FATES.index(fate)
            if fate == "kept":
                mine = cleaning.shingles_of(text, job["sample"])
                file.write(mine.tobytes())
                counts[row] = len(mine)
    counts.tofile(folder / f"{bucket:03}.counts")
    spool.write_index(folder, bucket, records)


def _fate(text: str, kind: int, copy: bool) -> str:
    """What becomes of a document, near-duplicates aside: rules on generated files are for code."""
    if not text.strip():
        return "empty"
    if copy:
        return "duplicate"
    generated = kind == spool.KINDS[True] and cleaning.is_generated_code(text)
    generated |= kind == spool.KINDS[None] and cleaning.seems_generated(text)
    return "generated" if generated else "kept"


def encode(folder: Path, bucket: int, job: Job, encoder: Encoder) -> None:
    """Write the tokens of the documents kept: the training ones, and the validation ones domain after domain."""
    domains, licences = spool.names(folder)
    records = spool.read_index(folder, bucket)
    records = records[records["fate"] == 0]
    held = cleaning.is_held_out(folder, records, job["ends"])
    rank = np.argsort(np.argsort(np.array(domains)))  # of a domain's name
    order = np.lexsort((np.arange(len(records)), np.where(held, rank[records["domain"]], -1), held))
    end = np.uint32(encoder.tokenizer.token_to_id(END) or 0)
    found: dict[str, dict[str, Any]] = {"train": {}, "valid": {}}
    seen = dict.fromkeys(found, 0)
    files = {part: (folder / f"{bucket:03}.{part}").open("wb") for part in found}
    for row, text in zip(order, spool.texts(folder, bucket, records[order]), strict=True):
        part, domain = ("valid" if held[row] else "train"), domains[records["domain"][row]]
        ids = np.append(encoder.ids(text), end)
        files[part].write(ids.astype(job["dtype"]).tobytes())
        blank = {"documents": 0, "bytes": 0, "tokens": 0, "first": seen[part], "licences": {}}
        counts = found[part].setdefault(domain, blank)
        seen[part] += len(ids)
        licence = licences[records["licence"][row]]
        counts["licences"][licence] = counts["licences"].get(licence, 0) + 1
        size = int(records["text"][row])
        counts |= {"documents": counts["documents"] + 1, "bytes": counts["bytes"] + size}
        counts |= {"tokens": counts["tokens"] + len(ids), "last": seen[part]}
    for file in files.values():
        file.close()
    (folder / f"{bucket:03}.json").write_text(json.dumps(found), encoding="utf-8")


def work_on(task: str, folder: Path, first: int, step: int) -> None:
    """Do a task for every `step`-th bucket and mark each one done. Ends with its parent."""
    job = json.loads((folder / JOB).read_text(encoding="utf-8"))
    encoder = Encoder(read_tokenizer(job["tokenizer"]), job["literal"]) if task == "encode" else None
    parent = os.getppid()
    for bucket in spool.buckets(folder)[first::step]:
        if encoder:
            encode(folder, bucket, job, encoder)
        else:
            inspect(folder, bucket, job)
        (folder / f"{bucket:03}.{task}-done").touch()
        if os.getppid() != parent:
            return


def work_all(task: str, folder: Path, job: Job, told: Callable[[float], None]) -> None:
    """Do a task for all buckets. `told` is called with the share that is done."""
    (folder / JOB).write_text(json.dumps(job), encoding="utf-8")
    count = min(cores(), MOST, len(spool.buckets(folder)))
    if count <= 1:
        work_on(task, folder, 0, 1)
        return
    path = os.pathsep.join(filter(None, [os.getcwd(), *sys.path]))
    command = [sys.executable, "-m", __name__, task, str(folder)]
    running = [
        subprocess.Popen(
            [*command, str(first), str(count)],
            env=os.environ | {"PYTHONPATH": path, "RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
        )
        for first in range(count)
    ]
    try:
        while any(process.poll() is None for process in running):
            time.sleep(POLL_S)
            told(len(list(folder.glob(f"*.{task}-done"))) / max(1, len(spool.buckets(folder))))
    finally:
        for process in running:
            process.kill()
        ends = [(process.communicate()[1], process.returncode) for process in running]
    for said, code in ends:
        if code:
            last = (said.decode("utf-8", "replace").strip().splitlines() or ["killed"])[-1]
            raise OSError(f"a process that was to {task} documents ended: {last}")


if __name__ == "__main__":
    work_on(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
