"""The seam between sending and proving who we are: what a signer gives, and gets back when it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, repr=False)
class Proof:
    """Headers for one request, and what the signer wants to know it by."""

    headers: Mapping[str, str]
    token: object = None


class Signer(Protocol):
    async def prove(self, method: str, url: str) -> Proof:
        """Headers for a request of `url`, exactly as it goes on the wire."""
        ...

    def refused(self, proof: Proof) -> bool:
        """The API answered 401 to this proof. Whether another could fare better."""
        ...
