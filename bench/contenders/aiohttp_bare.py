"""The ceiling: fetch every page with aiohttp, so many at once, and throw it away.

aiohttp_bare.py URL ROWS FOLDER CONCURRENCY [isal]
"""

import asyncio
import sys

import aiohttp


async def main(url: str, rows: int, concurrency: int) -> None:
    offsets = iter(range(0, rows, 100))
    received = 0

    async def work(session: aiohttp.ClientSession) -> None:
        nonlocal received
        for offset in offsets:
            async with session.get(f"{url}?limit=100&offset={offset}") as response:
                body = await response.read()
                received += len(body)

    async with aiohttp.ClientSession(auto_decompress=True, raise_for_status=True) as session:
        await asyncio.gather(*(work(session) for _ in range(concurrency)))
    print(received)


if __name__ == "__main__":
    if "isal" in sys.argv:
        from isal import isal_zlib

        aiohttp.set_zlib_backend(isal_zlib)
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[4])))
