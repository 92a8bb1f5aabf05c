"""Serving the metrics: HTTP/1.1 by h11 on asyncio, TLS, basic auth, and limits."""
