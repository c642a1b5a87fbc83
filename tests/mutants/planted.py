"""Bugs that would matter, each as the smallest change of the text that plants it, and the tests to catch it."""

from __future__ import annotations

from dataclasses import dataclass

PAGING = "tests/unit/paging tests/simulation"
SINKS = "tests/unit/sinks tests/crash/test_power_cuts.py"
POWER = "tests/crash/test_power_cuts.py"
TOKENS = "tests/unit/auth/test_tokens.py tests/property/test_token_cache.py"
FETCH = "tests/unit/http tests/unit/test_governor.py"
WIRE = "tests/integration/http"
PACING = "tests/unit/pacing tests/property/test_pacing.py"
LEDGER = "tests/unit/test_ledger.py tests/property/test_pacing.py"
JOURNALS = "tests/unit/test_journal.py tests/property/test_salvage.py tests/property/test_journals.py"
CODES = "tests/integration/test_exit_codes.py"


@dataclass(frozen=True)
class Bug:
    breaks: str
    file: str
    old: str
    new: str
    tests: str
    """paths, separated by spaces"""


BUGS = (
    Bug(
        "parts are not on disk when their manifest swears to them",
        "harvester/sinks/open_part.py",
        "    def close(self) -> Part:\n        os.fsync(self._fd)\n",
        "    def close(self) -> Part:\n",
        POWER,
    ),
    Bug(
        "a manifest is not on disk when it is published",
        "harvester/sinks/durable.py",
        "            view = view[os.write(fd, view) :]\n        os.fsync(fd)\n",
        "            view = view[os.write(fd, view) :]\n",
        POWER,
    ),
    Bug(
        "an acknowledged commit may be gone after a power cut: the folder's fsync is forgotten",
        "harvester/sinks/durable.py",
        "    source.rename(target)\n    sync_folder(target.parent)\n",
        "    source.rename(target)\n",
        POWER,
    ),
    Bug(
        "a new folder is not durable in its parent",
        "harvester/sinks/durable.py",
        "        return\n    sync_folder(folder.parent)\n",
        "        return\n",
        POWER,
    ),
    Bug(
        "parts are visible before their manifest",
        "harvester/sinks/local.py",
        "            write_synced(staged.folder / layout.MANIFEST, orjson.dumps(manifest, option=_PRETTY))\n"
        "            move_folder(staged.folder, target)\n",
        "            move_folder(staged.folder, target)\n"
        "            write_synced(target / layout.MANIFEST, orjson.dumps(manifest, option=_PRETTY))\n",
        SINKS,
    ),
    Bug(
        "an old run that is resumed hides a newer snapshot",
        "harvester/sinks/pointing.py",
        'if now is not None and now["started"] > run.started:',
        "if now is None:",
        "tests/unit/sinks tests/integration/test_incremental.py",
    ),
    Bug(
        "what is written is readable for all",
        "harvester/sinks/durable.py",
        "os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)",
        "os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)",
        "tests/unit/sinks",
    ),
    Bug(
        "equal pulls give unequal bytes: the time in each gzip member",
        "harvester/sinks/frames.py",
        "igzip.compress(data, 1, mtime=0)",
        "igzip.compress(data, 1)",
        "tests/property/test_parts.py",
    ),
    Bug(
        "windows don't overlap",
        "harvester/paging/pager.py",
        "    overlap: int = OVERLAP\n",
        "    overlap: int = 0\n",
        PAGING,
    ),
    Bug(
        "pages that share no row count as joined",
        "harvester/paging/joins.py",
        '    if not shared:\n        return "none"\n',
        '    if not shared:\n        return "drift"\n',
        PAGING,
    ),
    Bug(
        "pages that share rows in another order count as joined",
        "harvester/paging/joins.py",
        '        return "reordered"\n',
        '        return "drift"\n',
        PAGING,
    ),
    Bug(
        "five ascending pairs are believed to be an order",
        "harvester/paging/order.py",
        "ENOUGH_PAIRS = 25",
        "ENOUGH_PAIRS = 5",
        PAGING,
    ),
    Bug(
        "a total is believed where a filter is asked for",
        "harvester/window_reading.py",
        'trust_total="filter" not in',
        'trust_total="" in',
        "tests/unit/paging tests/integration/test_dialects.py tests/integration/test_incremental.py",
    ),
    Bug(
        "a row that the server can't serve is left out in silence",
        "harvester/paging/certificate.py",
        "poisoned=tuple(sorted(evidence.poisoned)),",
        "poisoned=(),",
        "tests/unit/paging tests/integration/test_dialects.py",
    ),
    Bug(
        "rows that two pages share are written twice",
        "harvester/paging/seen.py",
        "return any(row_id in recent for recent, _ in self._recent)",
        "return False",
        PAGING,
    ),
    Bug(
        "an uncertified pull replaces a good snapshot",
        "harvester/commit.py",
        "    if weaker_than(verdict, require):",
        "    if weaker_than(require, require):",
        "tests/integration/test_exit_codes.py",
    ),
    Bug(
        "tombstones are not seen",
        "harvester/http/rows.py",
        'if row.status == "tobedeleted"',
        'if row.status == "deleted"',
        "tests/unit/http tests/property/test_slices.py tests/integration/test_incremental.py",
    ),
    Bug(
        "records with a flaw are dropped in silence",
        "harvester/sinks/part.py",
        "        self._quarantine.append(line)\n",
        "",
        "tests/property/test_parts.py tests/unit/sinks tests/integration/test_dialects.py",
    ),
    Bug(
        "a damaged frame is gone on with",
        "harvester/sinks/salvage.py",
        "if len(data) != frame.size or crc32(data) != frame.crc:",
        "if len(data) != frame.size:",
        JOURNALS,
    ),
    Bug(
        "a damaged line of a journal is believed",
        "harvester/checked_lines.py",
        'yield body if checksum == b"%08x" % zlib.crc32(body) and body else None',
        "yield body if len(checksum) == 8 and body else None",
        JOURNALS,
    ),
    Bug(
        "a run that died before its manifest is never finished",
        "harvester/journal.py",
        "        return not self.ended\n",
        "        return self.settled < len(self.pulls)\n",
        JOURNALS,
    ),
    Bug(
        "two runs at once",
        "harvester/lock.py",
        "            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        "            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)\n",
        "tests/unit/test_lock.py",
    ),
    Bug(
        "a cookie of one tenant goes out with another's requests",
        "harvester/http/client.py",
        "cookie_jar=aiohttp.DummyCookieJar(),",
        "cookie_jar=aiohttp.CookieJar(unsafe=True),",
        WIRE,
    ),
    Bug(
        "redirects are followed, credentials and all",
        "harvester/http/client.py",
        "allow_redirects=False,",
        "allow_redirects=True,",
        WIRE,
    ),
    Bug(
        "a Link sends Authorization to another origin",
        "harvester/http/links.py",
        'f"{asked.scheme}://{asked.netloc}{path}"',
        'f"{link.scheme}://{link.netloc}{path}"',
        "tests/unit/http/test_links.py tests/property/test_links.py",
    ),
    Bug(
        "credentials in the clear: http to other machines",
        "harvester/http/address.py",
        'if url.scheme == "http" and not is_loopback(host):',
        'if url.scheme == "http" and not host:',
        WIRE,
    ),
    Bug(
        "an answer of any size is read into memory",
        "harvester/http/client.py",
        "    if size > ceiling.body:\n",
        "    if size > 1000 * ceiling.body:\n",
        WIRE,
    ),
    Bug(
        "DOCTYPE and entities are allowed in XML",
        "harvester/providers/pifu.py",
        "        self._expat.StartDoctypeDeclHandler = self._doctype\n"
        "        self._expat.EntityDeclHandler = self._doctype\n",
        "",
        "tests/unit/providers",
    ),
    Bug(
        "whoever waits to try again keeps the permit",
        "harvester/http/fetch.py",
        "            permit.answered(0 if reply.error else reply.status, reply.headers, reply.took)\n",
        "            await self._clock.sleep(float(reply.status >= 429))\n"
        "            permit.answered(0 if reply.error else reply.status, reply.headers, reply.took)\n",
        FETCH,
    ),
    Bug(
        "a request that broke off keeps its permit for ever",
        "harvester/governor.py",
        '        if self.state == "granted":\n            self._desk.give_up(self)\n\n    def answered',
        '        if self.state == "over":\n            self._desk.give_up(self)\n\n    def answered',
        FETCH,
    ),
    Bug(
        "Retry-After is ignored",
        "harvester/http/retry.py",
        "    if floor is None:\n        return wait\n",
        "    if floor is None or floor > 0:\n        return wait\n",
        "tests/unit/http",
    ),
    Bug(
        "a 403 is tried again for ever",
        "harvester/http/retry.py",
        "    return Refuse(_refused(reply, where))\n\n\ndef _throttle(",
        '    return Again(0.0, "refused") if status == 403 else Refuse(_refused(reply, where))\n\n\ndef _throttle(',
        "tests/unit/http/test_retry.py",
    ),
    Bug(
        "a large tenant starves the small ones",
        "harvester/pacing/fairness.py",
        "        elif line.deficit < 1.0:\n",
        "        elif line.deficit < -1e9:\n",
        PACING,
    ),
    Bug(
        "a quota counts its requests when they are over",
        "harvester/ledger.py",
        "                    (application, account.period.kind, account.period.start, account.used, marked),",
        "                    (application, account.period.kind, account.period.start, account.used - size, marked),",
        LEDGER,
    ),
    Bug(
        "an expired token is sent",
        "harvester/auth/tokens.py",
        "if token is None or now >= token.good_until:",
        "if token is None or now < 0.0:",
        TOKENS,
    ),
    Bug(
        "a token is renewed only when it is dead",
        "harvester/auth/tokens.py",
        "due = now >= token.renew_at and",
        "due = now >= token.expires and",
        TOKENS,
    ),
    Bug(
        "a hundred pulls ask for a hundred tokens",
        "harvester/auth/tokens.py",
        "flight = entry.flight or self._start(grant, entry)",
        "flight = self._start(grant, entry)",
        TOKENS,
    ),
    Bug(
        "a secret prints itself",
        "harvester/config/secrets.py",
        "        return HIDDEN\n\n    __str__",
        "        return self._value\n\n    __str__",
        "tests/unit/config/test_secrets.py",
    ),
    Bug(
        "tracebacks in the log hold local variables, and so tokens",
        "harvester/observe/logging.py",
        "show_locals=False",
        "show_locals=True",
        "tests/unit/observe",
    ),
    Bug(
        "a partial run says that all is well",
        "harvester/report.py",
        'return 3 if states["committed"]',
        'return 0 if states["committed"]',
        CODES,
    ),
)
