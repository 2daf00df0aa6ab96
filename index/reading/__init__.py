"""From files to articles, sentences and passages."""
