"""Where an index keeps what it knows: SQLite, and the FAISS and tantivy indexes derived from it."""
