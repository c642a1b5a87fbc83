"""Scrapy: one spider, all pages as start requests, items into its JSON lines feed.

Tuned: 32 requests at once, no delay, no robots, no log, no middleware or extension without need.

scrapy_spider.py URL ROWS FOLDER
"""

import sys

import scrapy
from scrapy.crawler import CrawlerProcess


class Users(scrapy.Spider):
    name = "users"

    async def start(self):
        for offset in range(0, self.rows, 100):
            yield scrapy.Request(f"{self.url}?limit=100&offset={offset}", dont_filter=True)

    def parse(self, response):
        yield from response.json()["users"]


def main(url: str, rows: int, folder: str) -> None:
    process = CrawlerProcess(
        {
            "FEEDS": {f"{folder}/users.jsonl": {"format": "jsonlines"}},
            "CONCURRENT_REQUESTS": 32,
            "CONCURRENT_REQUESTS_PER_DOMAIN": 32,
            "DOWNLOAD_DELAY": 0,
            "CONCURRENT_ITEMS": 1000,
            "ROBOTSTXT_OBEY": False,
            "LOG_ENABLED": False,
            "COOKIES_ENABLED": False,
            "RETRY_ENABLED": False,
            "REDIRECT_ENABLED": False,
            "HTTPPROXY_ENABLED": False,
            "DOWNLOADER_STATS": False,
            "EXTENSIONS_BASE": {"scrapy.extensions.feedexport.FeedExporter": 0},
            "SPIDER_MIDDLEWARES_BASE": {"scrapy.spidermiddlewares.start.StartSpiderMiddleware": 25},
        }
    )
    process.crawl(Users, url=url, rows=rows)
    process.start()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
