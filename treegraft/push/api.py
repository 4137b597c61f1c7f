"""Push rows to the Hugging Face Hub, from Python: `treegraft.push_to_hub`."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.api import Run
from engine.errors import UsageError
from engine.export.formats import write_rows
from trainer.runtime.hub import check_token, endpoint, uploading

FORMATS = ("jsonl", "parquet")
_AGAIN = "run the same command again: nothing is lost"


@dataclass(frozen=True, slots=True)
class Pushed:
    """What was pushed, or would be.

    Attributes:
        repo_id: The data set's name.
        url: The address of the commit; "" if nothing was uploaded.
        files: Files of the data set.
        rows: Rows of each config.
        unusable: Rows of the source that cannot be used, by reason.
    """

    repo_id: str
    url: str
    files: list[str]
    rows: dict[str, int]
    unusable: dict[str, int]


def push_to_hub(
    source: Run | Path | str | Iterable[Mapping[str, Any]],
    repo_id: str,
    *,
    private: bool = False,
    revision: str | None = None,
    licence: str = "",
    held_out: Iterable[Path | str] = (),
    format: str = "jsonl",
    output: Path | str | None = None,
    dry_run: bool = False,
) -> Pushed:
    """Push a run or rows to the hub as a data set with a card; call it again to update.

    The token is that of HF_TOKEN or of `hf auth login`.

    Args:
        source: A run, which gives SFT rows and pairs; or rows: a file, or in memory.
        repo_id: USER/NAME of the data set; it is made if there is none.
        private: Make it a private one.
        revision: Branch to push to, made if there is none; default: main.
        licence: The data set's licence, as the hub names it.
        held_out: Runs, or files of tasks, prompts or rows, whose tasks must not be in the rows.
        format: jsonl or parquet.
        output: Folder to keep the data set in, too.
        dry_run: Write the folder `output`, and upload nothing.

    Raises:
        TreegraftError: The source cannot be read, has rows with a secret or a test split's task,
            or the upload failed.
    """
    if dry_run and output is None:
        raise UsageError("--dry-run needs --output: the folder to write")
    if format not in FORMATS:
        raise UsageError(f"--format {format}: use jsonl or parquet")
    from treegraft.push.folder import check_output, data_set, write_folder

    _check_repo_id(repo_id)
    if output is not None:
        check_output(Path(output))
    if not dry_run:
        check_token(repo_id, _AGAIN)
    with _file_of(source) as file:
        held = tuple(map(Path, held_out))
        found = data_set(file, licence=licence, held_out=held, format=format)
    url = ""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch if output is None else output)
        write_folder(found, folder)
        if not dry_run:
            url = _upload(folder, found.files, repo_id, private, revision)
    rows = {name.partition("/")[0]: len(each) for name, each in found.rows.items()}
    return Pushed(repo_id, url, found.files, rows, dict(found.unusable))


def _check_repo_id(repo_id: str) -> None:
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    with uploading(repo_id, ""):
        validate_repo_id(repo_id)


@contextmanager
def _file_of(source: Run | Path | str | Iterable[Mapping[str, Any]]) -> Iterator[Path]:
    """Yield where the rows are: rows in memory are written to a file for the while."""
    if isinstance(source, Run):
        yield source.path
    elif isinstance(source, Path | str):
        yield Path(source)
    else:
        with TemporaryDirectory() as scratch:
            file = Path(scratch) / "rows.jsonl"
            write_rows(map(dict, source), file)
            yield file


def _upload(
    folder: Path, files: list[str], repo_id: str, private: bool, revision: str | None
) -> str:
    from huggingface_hub import HfApi

    api = HfApi(endpoint=endpoint())
    with uploading(repo_id, _AGAIN):
        api.create_repo(repo_id, repo_type="dataset", private=private, exist_ok=True)
        if revision:
            api.create_branch(repo_id, repo_type="dataset", branch=revision, exist_ok=True)
        done = api.upload_folder(
            repo_id=repo_id,
            repo_type="dataset",
            folder_path=folder,
            revision=revision,
            allow_patterns=files,
            commit_message="Push rows and their card",
        )
    return str(done.commit_url)
