"""Reading: files become articles, sentences and passages."""
