"""Storage of an index: a SQLite file, and the FAISS and tantivy indexes made from it."""
