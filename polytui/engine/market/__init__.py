"""What is known of markets: catalog, books, quality, features, snapshots, reference feeds."""
