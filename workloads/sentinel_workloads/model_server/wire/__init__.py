"""HTTP/1.1 on a socket: parsing, ordering, limits, back-pressure."""
