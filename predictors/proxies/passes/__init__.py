"""The passes: each runs a network once or a few times and records what proxies read."""
