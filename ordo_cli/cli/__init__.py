"""The terminal's door: words in, tables, JSON documents and exit codes out."""
