"""The log: JSON lines in a file, warnings on stderr as well, and not a secret or a person in either.

Event names are constants and everything else is a key, so that nothing that a server sends can forge a line.
Tracebacks come without local variables, which hold tokens, and without what messages quote, which may be a
person's. What Python itself would print (warnings, errors of threads and finalizers) comes here too.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import orjson
import structlog
from structlog.tracebacks import ExceptionDictTransformer

from harvester.errors import SinkError
from harvester.events import (
    Event,
    Notice,
    PageFetched,
    PullFinished,
    PullStarted,
    QuotaAlert,
    Retried,
    WindowEnded,
)
from harvester.observe.redact import Redactor, one_line

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

_log = structlog.get_logger("harvester")
_listeners = logging.getLogger("harvester")


def configure(
    *, path: Path | None, level: str, scrub: Callable[[str], str], errors: TextIO | None = None
) -> None:
    """Send structlog's and the standard library's log to `path` (0600), and warnings to `errors` too.

    `errors` is stderr unless given; without a path, warnings go there alone. Raises `SinkError` when the file
    can't be opened.
    """
    redactor = Redactor(scrub)
    plain = _Handler(errors or sys.stderr)
    plain.setLevel(logging.WARNING)
    handlers: list[logging.Handler] = [plain]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _timestamp,
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
        _redacting(redactor),  # last, after everything that adds to a line
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    plain.setFormatter(_formatter(shared, _as_text))
    if path is not None:
        file = _file(path)
        file.setFormatter(_formatter(shared, _as_json))
        handlers.insert(0, file)
    root = logging.getLogger()
    for old in root.handlers:
        old.close()
    root.handlers = handlers
    root.setLevel(logging.WARNING)  # libraries speak when something is wrong
    logging.getLogger("harvester").setLevel(LEVELS[level])
    logging.captureWarnings(capture=True)  # a warning may quote anything, and goes to stderr otherwise
    sys.excepthook = _say_exception
    sys.unraisablehook = _say_unraisable
    threading.excepthook = _say_of_thread


class _Handler(logging.StreamHandler[TextIO]):
    """Writes, or says that it could not: Python's own way prints the line's arguments."""

    _failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        if self._failed:
            return  # on a full disk each line fails
        self._failed = True
        kind = getattr(sys.exc_info()[0], "__name__", "an error")
        said = f"harvester: a line of {record.name} could not be logged: {kind}"
        try:
            print(said, file=sys.stderr)  # noqa: T201 - nowhere else is left
        except (OSError, ValueError):
            return


def _say_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _log.error("uncaught", exc_info=(kind, error, trace))


def _say_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    trace = (unraisable.exc_type, unraisable.exc_value, unraisable.exc_traceback)
    _log.warning("unraisable", exc_info=trace)


def _say_of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        _log.error("thread_crashed", exc_info=(args.exc_type, args.exc_value, args.exc_traceback))


def forget(folder: Path, *, newest: int) -> None:
    """Remove all logs of `folder` but the newest. A log that can't be removed stays."""
    ages: list[tuple[float, Path]] = []
    for path in folder.glob("*.ndjson"):
        with suppress(OSError):
            ages.append((path.lstat().st_mtime, path))
    for _, path in sorted(ages, reverse=True)[newest:]:
        with suppress(OSError):
            path.unlink()


def _file(path: Path) -> logging.Handler:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, 0o600)
    except OSError as error:
        raise SinkError(
            f"can't write the log {path}: {error.strerror}",
            advice="Check the state folder and its permissions.",
        ) from None
    handler = _Handler(os.fdopen(fd, "a", encoding="utf-8"))
    handler.setLevel(logging.DEBUG)
    return handler


def _formatter(
    shared: list[structlog.typing.Processor], render: structlog.typing.Processor
) -> structlog.stdlib.ProcessorFormatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,  # what comes from aiohttp and asyncio passes the same way
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
    )


def _timestamp(_logger: object, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    line["timestamp"] = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return line


def _redacting(redactor: Redactor) -> structlog.typing.Processor:
    def redact(_logger: object, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        kept = {key: line[key] for key in ("_record", "_from_structlog") if key in line}
        clean = {
            redactor.text(key): redactor.exceptions(value)
            if key == "exception"
            else redactor.value(value, key)
            for key, value in line.items()
            if key not in kept
        }
        if line.get("_from_structlog") is False:  # a library's: its words, but not what it quotes
            clean["event"] = redactor.foreign(str(line.get("event", "")))
        return {**clean, **kept}

    return redact


def _as_json(_logger: object, _name: str, line: MutableMapping[str, Any]) -> str:
    return orjson.dumps(line, default=repr).decode()


def _as_text(_logger: object, _name: str, line: MutableMapping[str, Any]) -> str:
    """One plain line for people; values are quoted, so that none can break out of it."""
    skipped = ("event", "level", "timestamp", "logger", "exception", "stack_info")
    said = " ".join(f"{key}={value!r}" for key, value in line.items() if key not in skipped)
    return one_line(f"harvester: {line.get('level', '')}: {line.get('event', '')} {said}".rstrip())


class LogObserver:
    """Turns a run's events into log lines: pages at debug, pulls at info, alerts at warning."""

    def __call__(self, event: Event) -> None:
        match event:
            case PageFetched(pull, offset, records, size, took):
                if not _listeners.isEnabledFor(logging.DEBUG):
                    return  # structlog would find out as well, in the time that a page takes to be written
                _log.debug(
                    "page", pull=pull.key, offset=offset, records=records, bytes=size, seconds=round(took, 3)
                )
            case Retried(pull, reason, status, after):
                _log.debug("retry", pull=pull.key, reason=reason, status=status, after=round(after, 2))
            case PullStarted(pull, expected):
                _log.debug("pull_started", pull=pull.key, expected_records=expected)
            case PullFinished(pull, state, records, verdict, why):
                _log.info(
                    "pull_finished", pull=pull.key, state=state, records=records, verdict=verdict, why=why
                )
            case QuotaAlert(application, period, used, quota, percent):
                _log.warning(
                    "quota", application=application, period=period, used=used, quota=quota, percent=percent
                )
            case Notice(what, where):
                _log.warning("notice", what=what, where=where)
            case WindowEnded(number, windows, _, _, records, requests, done):
                _log.info(
                    "window_ended",
                    window=number,
                    windows=windows,
                    records=records,
                    requests=requests,
                    done=done,
                )
