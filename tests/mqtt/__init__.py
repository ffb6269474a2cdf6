"""The bridge against a real broker, seen by an independent client."""
