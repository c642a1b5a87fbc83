"""The ceiling: fetches every page, eight at once, and throws it away. URL ROWS OUT"""

import asyncio
import sys

import aiohttp
from isal import isal_zlib

AT_ONCE = 8


async def main(url: str, rows: int) -> None:
    aiohttp.set_zlib_backend(isal_zlib)
    offsets = iter(range(0, rows, 100))
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:

        async def work() -> int:
            size = 0
            for offset in offsets:
                async with session.get(f"{url}/users?limit=100&offset={offset}") as response:
                    size += len(await response.read())
            return size

        print(sum(await asyncio.gather(*[work() for _ in range(AT_ONCE)])))


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
