"""The web's door: JSON in, JSON and status codes out, through the same services as the terminal."""
