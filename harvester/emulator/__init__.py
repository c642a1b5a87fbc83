"""The providers' other side: a server on loopback that speaks all seven APIs, without the client's code."""
