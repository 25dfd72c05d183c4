"""``radgs report`` in a terminal."""

from __future__ import annotations

from pathlib import Path

from radgs.case import RegistrationCase, RegistrationResult
from radgs.errors import OutputError
from radgs.io.cache_folder import user_cache
from radgs.io.content import ContentHashes
from radgs.io.folder_swap import add_to_run, is_outdated
from radgs.report import REPORT_NAME, case_of, check_same_case, write_report


def report_on(named: Path, out: Path | None, case_named: Path | None) -> Path:
    """Writes the report of a result and returns its path.

    Args:
        named: A result.json, or its folder.
        out: Where to write; None for beside the result.json.
        case_named: The case.json, where the user names it.

    Raises:
        RadgsError: Result or case cannot be read, do not belong together, or the page cannot be written.
    """
    folder = named if named.is_dir() else named.parent
    result = RegistrationResult.load(named)
    if is_outdated(folder):
        raise OutputError(
            f"What {folder} holds is of an earlier registration than the last one begun.", "Register again."
        )
    path = case_of(result, folder, case_named)
    case = RegistrationCase.load(path, hashes=ContentHashes(user_cache()))
    check_same_case(result, case, path)
    if out is not None and out.is_dir():
        out = out / REPORT_NAME
    written = write_report(out or folder / REPORT_NAME, result, case, path, folder)
    add_to_run(folder, written)
    return written
