"""All providers that are built in. A new one is a file and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from harvester.providers.automatic_rostering import AUTOMATIC_ROSTERING
from harvester.providers.classlink_direct import CLASSLINK_DIRECT
from harvester.providers.classlink_proxy import CLASSLINK_PROXY
from harvester.providers.dialect import Provider
from harvester.providers.flyt_oneroster import FLYT_ONEROSTER
from harvester.providers.flyt_skole import FLYT_SKOLE
from harvester.providers.oneroster import ONEROSTER_V1P1, ONEROSTER_V1P2

PROVIDERS: Mapping[str, Provider] = {
    provider.name: provider
    for provider in (
        FLYT_ONEROSTER,
        FLYT_SKOLE,
        CLASSLINK_PROXY,
        CLASSLINK_DIRECT,
        AUTOMATIC_ROSTERING,
        ONEROSTER_V1P1,
        ONEROSTER_V1P2,
    )
}
