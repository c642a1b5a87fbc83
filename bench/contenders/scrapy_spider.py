"""A Scrapy spider with a JSON lines feed, sixteen requests at once. URL ROWS OUT"""

import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import scrapy
from scrapy.crawler import CrawlerProcess
from scrapy.http import Response

URL, ROWS, OUT = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])


class Users(scrapy.Spider):
    name = "users"

    async def start(self) -> AsyncIterator[scrapy.Request]:
        for offset in range(0, ROWS, 100):
            yield scrapy.Request(f"{URL}/users?limit=100&offset={offset}")

    def parse(self, response: Response) -> Iterator[dict[str, Any]]:
        yield from json.loads(response.body)["users"]


process = CrawlerProcess(
    {
        "FEEDS": {str(OUT / "users.jsonl"): {"format": "jsonlines", "encoding": "utf-8"}},
        "CONCURRENT_REQUESTS": 16,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 16,
        "DOWNLOAD_DELAY": 0,
        "COOKIES_ENABLED": False,
        "RETRY_ENABLED": False,
        "ROBOTSTXT_OBEY": False,
        "TELNETCONSOLE_ENABLED": False,
        "LOG_LEVEL": "ERROR",
    }
)
process.crawl(Users)
process.start()
