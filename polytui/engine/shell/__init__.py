"""Where the engine touches the world: clocks, sockets, files, processes."""
