"""ClassLink districts without the proxy: OneRoster 1.1 on each district's own server, signed with OAuth 1.0a.

Source: the vendor's developer pages. Server URL, key and secret are per district.
"""

from __future__ import annotations

from harvester.providers.dialect import Environment, OAuth1, Provider
from harvester.providers.oneroster import ONEROSTER_V1P1, PAGING, V1P1

CLASSLINK_DIRECT = Provider(
    name="classlink-direct",
    title="ClassLink, direct",
    service_path=V1P1,
    auth=OAuth1(),
    paging=PAGING,
    environments={"production": Environment()},
    resources=ONEROSTER_V1P1.resources,
    shared_host=False,
)
